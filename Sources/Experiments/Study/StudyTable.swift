import Foundation
import Merging
import Networks
import Tensors
import Training

/// What a study has come to so far: every cell's scores, and their mean and standard deviation over seeds.
public struct StudyTable: Sendable {
  package let folder: RunFolder
  package let plan: StudyPlan

  /// One predictor of one cell; several members or students are one, by their mean.
  struct Entry: Sendable {
    let seed: UInt64
    let size: Int
    let kind: Predictor.Kind
    let name: String
    let scores: Scores
    let parameters: Int
    let passes: Int
    /// To make it, or one of them; nil where nothing is made.
    let seconds: Double?

    /// Messages from training that told nobody anything to it on rank 0; nil if that is not known.
    let cost: Costs.Cost?
  }

  /// In the order of seeds, sizes and the cell's rows.
  let entries: [Entry]

  /// The mean over seeds of one predictor's scores at one size.
  package struct Summary: Codable, Equatable, Sendable {
    package let members: Int
    package let kind: Predictor.Kind
    package let name: String
    package let seeds: Int
    package let accuracy: Spread
    package let nll: Spread
    package let brier: Spread
    package let ece: Spread
    package let parameters: Int
    package let forwardPasses: Int

    /// Rounds of messages, and the payload of all ranks together; nil if not known of all seeds.
    package let rounds: Int?
    package let bytes: Int?
  }

  /// A mean and the sample standard deviation; nil for a single value.
  package struct Spread: Codable, Equatable, Sendable {
    package let mean: Double
    package let deviation: Double?

    init(_ values: [Double]) {
      let mean = values.reduce(0, +) / Double(values.count)
      self.mean = mean
      deviation =
        values.count > 1
        ? (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1))
          .squareRoot() : nil
    }
  }

  /// The table of the study that a folder holds; nil if it holds none.
  package init?(at folder: RunFolder) throws {
    guard let plan = try folder.readStudyPlan() else { return nil }
    try self.init(folder, plan)
  }

  /// Reads every cell that there is.
  init(_ folder: RunFolder, _ plan: StudyPlan) throws {
    self.folder = folder
    self.plan = plan
    var entries: [Entry] = []
    for seed in plan.seeds {
      for size in plan.sizes {
        let cell = folder.cell(seed: seed, size: size)
        // A cell that was made with other settings is one to make anew, not one to show.
        guard let results = try cell.readResults(), try plan.isOf(cell, seed: seed, size: size)
        else { continue }
        let timings = try cell.readTimings()
        let memberTimings = try RunFolder(folder.path("seed-\(seed)")).readTimings()
        entries += Self.entries(
          results, timings.seconds.merging(memberTimings.seconds) { cell, _ in cell },
          try cell.readCosts(), seed: seed, size: size)
      }
      for coupling in plan.exchanges ?? [] {
        let coupled = folder.coupled(seed: seed, by: coupling)
        guard let results = try coupled.readResults(),
          try plan.isOf(coupled, plan.experiment(seed: seed, coupledBy: coupling)),
          let mean = results.row(of: .naive)
        else { continue }
        let (timings, costs) = (try coupled.readTimings(), try coupled.readCosts())
        entries.append(
          Entry(
            seed: seed, size: plan.experiment.members, kind: .exchange,
            name: coupling.description, scores: mean.test, parameters: mean.parameters,
            passes: mean.forwardPasses, seconds: timings.seconds["members/000"],
            cost: costs.entries["members"]))
      }
    }
    self.entries = entries
  }

  private static func entries(
    _ results: Results, _ timings: [String: Double], _ costs: Costs, seed: UInt64, size: Int
  ) -> [Entry] {
    func cost(_ row: Results.Row) -> Costs.Cost? {
      switch row.predictor {
      case .member: Costs.Cost(ranks: 0, rounds: 0, bytes: 0)
      // What it takes to have all members in one place, as the plain mean has it.
      case .ensemble: costs.entries["merged/naive"]
      case .merged, .student:
        row.file.flatMap { costs.entries[$0.replacing(".safetensors", with: "")] }
      }
    }
    func seconds(_ row: Results.Row) -> Double? {
      row.file.flatMap { timings[$0.replacing(".safetensors", with: "")] }
    }
    func entry(_ rows: [Results.Row], _ name: String) -> Entry? {
      guard let first = rows.first else { return nil }
      let known = rows.compactMap(seconds)
      return Entry(
        seed: seed, size: size, kind: first.predictor.kind, name: name,
        scores: .mean(of: rows.map(\.test)), parameters: first.parameters,
        passes: first.forwardPasses,
        seconds: known.isEmpty ? nil : known.reduce(0, +) / Double(known.count),
        cost: cost(first))
    }
    let single = results.rows.filter { ![.member, .student].contains($0.predictor.kind) }
    return [entry(results.rows(.member), "member")].compactMap(\.self)
      + single.compactMap { entry([$0], $0.predictor.name) }
      + [entry(results.rows(.student), "student")].compactMap(\.self)
  }

  /// Of each predictor and size, sizes ascending and predictors in the order of ``names``.
  package var summaries: [Summary] {
    plan.sizes.flatMap { size in
      names.compactMap { name in
        let own = entries.filter { $0.size == size && $0.name == name }
        guard let first = own.first else { return nil }
        func spread(_ value: (Scores) -> Double) -> Spread { Spread(own.map { value($0.scores) }) }
        return Summary(
          members: size, kind: first.kind, name: name, seeds: own.count,
          accuracy: spread(\.accuracy), nll: spread(\.nll), brier: spread(\.brier),
          ece: spread(\.ece), parameters: first.parameters, forwardPasses: first.passes,
          rounds: isAboutMessages ? mean(own.map(\.cost?.rounds)) : nil,
          bytes: isAboutMessages ? mean(own.map(\.cost?.bytes)) : nil)
      }
    }
  }

  /// The mean of whole numbers; nil if one is not known.
  private func mean(_ values: [Int?]) -> Int? {
    let known = values.compactMap { $0 }
    guard known.count == values.count, !known.isEmpty else { return nil }
    return Int((Double(known.reduce(0, +)) / Double(known.count)).rounded())
  }

  /// The predictors' names: members, ensembles, merges in the order of the plan, students.
  package var names: [String] {
    var names: [String] = []
    for kind in [Predictor.Kind.member, .ensemble, .merged, .control, .student, .exchange] {
      // A larger size may have fewer of them, never others first.
      for entry in entries where entry.kind == kind && !names.contains(entry.name) {
        names.append(entry.name)
      }
    }
    return names
  }

  // MARK: - Files

  /// Writes `study.csv` and `study-summary.json`.
  package func write() throws {
    try folder.writeText(csv, "study.csv")
    try folder.writeJSON(summaries, "study-summary.json")
  }

  /// A line for each predictor of each cell.
  private var csv: String {
    let header =
      "seed,members,kind,name,accuracy,nll,brier,ece,parameters,passes,seconds"
      + (isAboutMessages ? ",rounds,bytes,ranks" : "")
    let lines = entries.map { entry in
      let scores = entry.scores
      let fields =
        ["\(entry.seed)", "\(entry.size)", entry.kind.rawValue, "\"\(entry.name)\""]
        + [scores.accuracy, scores.nll, scores.brier, scores.ece].map { decimal($0, 6) }
        + ["\(entry.parameters)", "\(entry.passes)", entry.seconds.map { decimal($0, 2) } ?? ""]
      let cost =
        isAboutMessages
        ? [entry.cost?.rounds, entry.cost?.bytes, entry.cost?.ranks].map {
          $0.map(String.init) ?? ""
        } : []
      return (fields + cost).joined(separator: ",")
    }
    return ([header] + lines).joined(separator: "\n") + "\n"
  }

  /// Whether it asks what a network costs in messages, and not how it grows with M.
  package var isAboutMessages: Bool { plan.experiment.shards != nil || plan.exchanges != nil }

  /// Scores against messages, means ± standard deviations, a row a predictor.
  private var messageText: String {
    var table = TextTable(["M = \(plan.sizes[0])", "accuracy %", "NLL", "ECE", "rounds", "sent"])
    for summary in summaries {
      table.append([
        summary.name, summary.accuracy.percent + plan.mark(summary.seeds), summary.nll.number,
        summary.ece.number, summary.rounds.map(grouped) ?? "",
        summary.bytes.map(readableBytes) ?? "",
      ])
    }
    return table.text
  }

  /// Accuracies in percent, mean ± standard deviation, a row a predictor and a column a size; or all scores against messages.
  public var text: String {
    guard !isAboutMessages else { return messageText }
    var table = TextTable(["accuracy %"] + plan.sizes.map { "M = \($0)" })
    let summaries = summaries
    for name in names {
      table.append(
        [name]
          + plan.sizes.map { size in
            summaries.first { $0.members == size && $0.name == name }
              .map { $0.accuracy.percent + plan.mark($0.seeds) } ?? ""
          })
    }
    return table.text
  }
}

extension StudyPlan {
  /// What to write behind a mean over some seeds: nothing if they are all of the study's.
  package func mark(_ seeds: Int) -> String {
    seeds == seedCount ? "" : " (\(seeds) of \(seedCount))"
  }

  /// Whether a cell was made with the plan's settings.
  fileprivate func isOf(_ cell: RunFolder, seed: UInt64, size: Int) throws -> Bool {
    try isOf(cell, experiment(seed: seed, members: size))
  }

  fileprivate func isOf(_ cell: RunFolder, _ experiment: Experiment) throws -> Bool {
    let there = try cell.readExperiment()
    var wanted = experiment
    wanted.data = there.data
    return wanted == there
  }
}

extension StudyTable.Spread {
  /// In percent, `89.31 ± 0.05`.
  package var percent: String {
    decimal(100 * mean, 2) + (deviation.map { " ± \(decimal(100 * $0, 2))" } ?? "")
  }

  /// With four decimals.
  package var number: String {
    decimal(mean, 4) + (deviation.map { " ± \(decimal($0, 4))" } ?? "")
  }
}
