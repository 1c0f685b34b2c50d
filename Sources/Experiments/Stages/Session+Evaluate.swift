import Datasets
import Merging
import Networks
import Training

extension Session {
  /// Scores everything in the run folder on rank 0 and writes `results.json`.
  ///
  /// - Parameter hasLines: whether loss and accuracy between members are measured too.
  /// - Returns: the results, on rank 0; nil elsewhere.
  /// - Throws: `JointFailure`, on every rank.
  public func evaluate(withLines hasLines: Bool = true) throws -> Results? {
    _ = try data()
    return try onRoot {
      let progress = self.progress("evaluating")
      let members = try folder.readMembers(for: experiment)
      var rows: [Results.Row] = []
      var memberLogits = SetLogits()
      for (number, member) in members.enumerated() {
        let name = RunFolder.memberName(number)
        let logits = try logits(of: member, name)
        memberLogits.append(logits)
        rows.append(try row(.member, "member \(number)", logits, file: name))
      }
      rows += try ensembleRows(memberLogits)
      let disagreement = meanPairwiseDisagreement(
        memberLogits.test.map {
          Probabilities(logits: $0, classes: experiment.architecture.outputs)
        })

      for name in folder.mergedNames() {
        let file = RunFolder.mergedName(name)
        let network = try folder.readNetwork(file, for: experiment)
        rows.append(try row(.merged, name, try logits(of: network, file), file: file))
      }
      for number in 0..<experiment.students {
        let file = RunFolder.studentName(number)
        guard folder.hasNetwork(file) else { continue }
        let network = try folder.readNetwork(file, for: experiment)
        rows.append(
          try row(.student, "student \(number)", try logits(of: network, file), file: file))
      }
      let (lines, barriers) = hasLines ? try barriers(of: members, progress) : ([], [])
      let results = Results(
        rows: rows, disagreement: disagreement, lines: lines, barriers: barriers)
      try folder.writeJSON(results, "results.json")
      progress.finish()
      return results
    } ?? nil
  }

  /// Logits of one or several networks on the test set, and on the held-out images if there are any.
  private struct SetLogits {
    var test: [[Float]] = []
    var validation: [[Float]] = []

    mutating func append(_ other: SetLogits) {
      test += other.test
      validation += other.validation
    }
  }

  private func logits(of network: Network, _ name: String) throws -> SetLogits {
    let (data, split) = (try data(), try validationSplit())
    func logits(_ dataset: Dataset, _ images: [Int]?) throws -> [Float] {
      let logits = Training.logits(
        of: network, on: dataset, images: images, normalization: experiment.normalization,
        threads: threads)
      try requireFinite(logits, of: folder.path("\(name).safetensors"))
      return logits
    }
    return SetLogits(
      test: [try logits(data.test, nil)],
      validation: split.validation.isEmpty ? [] : [try logits(data.training, split.validation)])
  }

  private func row(
    _ kind: Results.Row.Kind, _ name: String, _ logits: SetLogits,
    combining combination: Combination = .logits, file: String? = nil
  ) throws -> Results.Row {
    let (data, split) = (try data(), try validationSplit())
    let networks = logits.test.count
    func scores(_ logits: [[Float]], _ labels: [Int]) -> Scores? {
      guard !logits.isEmpty else { return nil }
      return Scores(
        ensemblePrediction(
          logits, classes: experiment.architecture.outputs, combining: combination),
        labels: labels)
    }
    guard let test = scores(logits.test, data.test.labels()) else {
      preconditionFailure("a row is made of at least one network")
    }
    return Results.Row(
      kind: kind, name: name, file: file.map { "\($0).safetensors" }, test: test,
      validation: scores(logits.validation, data.training.labels(of: split.validation)),
      parameters: networks * experiment.architecture.parameterCount, forwardPasses: networks)
  }

  private func ensembleRows(_ logits: SetLogits) throws -> [Results.Row] {
    guard experiment.members > 1 else { return [] }
    return try Combination.allCases.map {
      try row(.ensemble, "ensemble, mean \($0.rawValue)", logits, combining: $0)
    }
  }
}
