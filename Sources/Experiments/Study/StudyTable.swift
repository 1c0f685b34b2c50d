import Foundation
import Networks
import Training

/// What a study has come to so far: every cell's scores, and their mean and standard deviation over seeds.
public struct StudyTable: Sendable {
  let plan: StudyPlan

  /// One predictor of one cell; several members or students are one, by their mean.
  struct Entry: Sendable {
    let seed: UInt64
    let size: Int
    let kind: Results.Row.Kind
    let name: String
    let scores: Scores
    let parameters: Int
    let passes: Int
    /// To make it; nil where nothing is made, or several were.
    let seconds: Double?
  }

  /// In the order of seeds, sizes and the cell's rows.
  let entries: [Entry]

  /// The mean over seeds of one predictor's scores at one size.
  struct Summary: Codable, Equatable, Sendable {
    let members: Int
    let kind: Results.Row.Kind
    let name: String
    let seeds: Int
    let accuracy: Spread
    let nll: Spread
    let brier: Spread
    let ece: Spread
    let parameters: Int
    let forwardPasses: Int
  }

  /// A mean and the sample standard deviation; nil for a single value.
  struct Spread: Codable, Equatable, Sendable {
    let mean: Double
    let deviation: Double?

    init(_ values: [Double]) {
      let mean = values.reduce(0, +) / Double(values.count)
      self.mean = mean
      deviation =
        values.count > 1
        ? (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1))
          .squareRoot() : nil
    }
  }

  /// Reads every cell that there is.
  init(_ folder: RunFolder, _ plan: StudyPlan) throws {
    self.plan = plan
    var entries: [Entry] = []
    for seed in plan.seeds {
      for size in plan.sizes {
        let cell = folder.cell(seed: seed, size: size)
        guard let results = try cell.readResults() else { continue }
        let timings = try cell.readTimings()
        entries += Self.entries(results, timings, seed: seed, size: size)
      }
    }
    self.entries = entries
  }

  private static func entries(
    _ results: Results, _ timings: Timings, seed: UInt64, size: Int
  ) -> [Entry] {
    func entry(_ row: Results.Row, _ name: String, _ scores: Scores, _ seconds: Double?) -> Entry {
      Entry(
        seed: seed, size: size, kind: row.kind, name: name, scores: scores,
        parameters: row.parameters, passes: row.forwardPasses, seconds: seconds)
    }
    var entries: [Entry] = []
    let members = results.rows(.member)
    if let first = members.first {
      entries.append(entry(first, "member", .mean(of: members.map(\.test)), nil))
    }
    for row in results.rows where row.kind == .ensemble || row.kind == .merged {
      let made = row.file.flatMap { timings.seconds[$0.replacing(".safetensors", with: "")] }
      entries.append(entry(row, row.name, row.test, made))
    }
    let students = results.rows(.student)
    if let first = students.first {
      entries.append(entry(first, "student", .mean(of: students.map(\.test)), nil))
    }
    return entries
  }

  /// Of each predictor and size, sizes ascending and predictors in the order of ``names``.
  var summaries: [Summary] {
    plan.sizes.flatMap { size in
      names.compactMap { name in
        let own = entries.filter { $0.size == size && $0.name == name }
        guard let first = own.first else { return nil }
        func spread(_ value: (Scores) -> Double) -> Spread { Spread(own.map { value($0.scores) }) }
        return Summary(
          members: size, kind: first.kind, name: name, seeds: own.count,
          accuracy: spread(\.accuracy), nll: spread(\.nll), brier: spread(\.brier),
          ece: spread(\.ece), parameters: first.parameters, forwardPasses: first.passes)
      }
    }
  }

  /// The predictors' names: members, ensembles, merges in the order of the plan, students.
  var names: [String] {
    var names: [String] = []
    for kind in [Results.Row.Kind.member, .ensemble, .merged, .student] {
      // A larger size may have fewer of them, never others first.
      for entry in entries where entry.kind == kind && !names.contains(entry.name) {
        names.append(entry.name)
      }
    }
    return names
  }

  // MARK: - Files

  /// Writes `study.csv`, `study-summary.json` and `study.html`.
  func write(to folder: RunFolder) throws {
    try writeAtomically(Data(csv.utf8), to: folder.path("study.csv"))
    try folder.writeJSON(summaries, "study-summary.json")
    try writeAtomically(Data(StudyReport(self).html.utf8), to: folder.path("study.html"))
  }

  /// A line for each predictor of each cell.
  private var csv: String {
    let header =
      "seed,members,kind,name,accuracy,nll,brier,ece,parameters,passes,seconds"
    let lines = entries.map { entry in
      let scores = entry.scores
      let fields =
        ["\(entry.seed)", "\(entry.size)", entry.kind.rawValue, "\"\(entry.name)\""]
        + [scores.accuracy, scores.nll, scores.brier, scores.ece].map { decimal($0, 6) }
        + ["\(entry.parameters)", "\(entry.passes)", entry.seconds.map { decimal($0, 2) } ?? ""]
      return fields.joined(separator: ",")
    }
    return ([header] + lines).joined(separator: "\n") + "\n"
  }

  /// Accuracies in percent, mean ± standard deviation, a row a predictor and a column a size.
  public var text: String {
    var table = TextTable(["accuracy %"] + plan.sizes.map { "M = \($0)" })
    let summaries = summaries
    for name in names {
      table.append(
        [name]
          + plan.sizes.map { size in
            summaries.first { $0.members == size && $0.name == name }
              .map { $0.accuracy.percent } ?? ""
          })
    }
    return table.text
  }
}

extension StudyTable.Spread {
  /// In percent, `89.31 ± 0.05`.
  var percent: String {
    decimal(100 * mean, 2) + (deviation.map { " ± \(decimal(100 * $0, 2))" } ?? "")
  }

  /// With four decimals.
  var number: String {
    decimal(mean, 4) + (deviation.map { " ± \(decimal($0, 4))" } ?? "")
  }
}
