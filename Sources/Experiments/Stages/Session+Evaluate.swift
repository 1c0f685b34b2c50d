import Datasets
import Merging
import Networks
import Tensors
import Training

extension Session {
  /// Scores everything in the run folder on rank 0 and writes `results.json`.
  ///
  /// Merged networks and students that were made from other members or data are left out, and named.
  ///
  /// - Parameter hasLines: whether loss and accuracy between members are measured too.
  /// - Returns: the results, on rank 0; nil elsewhere.
  /// - Throws: `JointFailure`, on every rank.
  public func evaluate(withLines hasLines: Bool = true) throws -> Results? {
    _ = try data()
    return try job.onRoot {
      let progress = job.progress("evaluating")
      let members = try folder.readMembers(for: experiment)
      let fingerprint = Experiments.fingerprint(of: members)
      var rows: [Results.Row] = []
      var memberLogits = SetLogits()
      for (number, member) in members.enumerated() {
        let name = RunFolder.memberName(number)
        let logits = try logits(of: member, name)
        memberLogits.append(logits)
        rows.append(try row(.member(number), logits, file: name))
      }
      rows += try ensembleRows(memberLogits)
      let disagreement = meanPairwiseDisagreement(
        memberLogits.test.map {
          Probabilities(logits: $0, classes: experiment.architecture.outputs)
        })

      var merged: [Predictor] = []
      for predictor in try folder.merged() {
        let file = RunFolder.mergedName(predictor.name)
        guard let chain = predictor.chain,
          try fits(
            file,
            Provenance(
              chain, of: fingerprint, architecture: experiment.architecture, in: experiment))
        else { continue }
        merged.append(predictor)
        let network = try folder.readMerged(file, for: experiment)
        rows.append(
          try row(
            predictor, try logits(of: network, file), file: file,
            parameters: network.parameters.count))
      }
      for number in 0..<experiment.students {
        let file = RunFolder.studentName(number)
        guard folder.hasNetwork(file),
          try fits(file, Provenance(studentsOf: fingerprint, in: experiment))
        else { continue }
        let network = try folder.readNetwork(file, for: experiment)
        rows.append(try row(.student(number), try logits(of: network, file), file: file))
      }
      let (lines, barriers) =
        hasLines ? try barriers(of: members, merged: merged, progress) : ([], [])
      let results = Results(
        rows: rows, disagreement: disagreement, lines: lines, barriers: barriers)
      try folder.writeJSON(results, "results.json")
      progress.finish()
      return results
    } ?? nil
  }

  /// Whether a network was made as the folder's would be now; says so if not.
  private func fits(_ name: String, _ provenance: Provenance) throws -> Bool {
    let isFitting = try folder.readProvenance(name) == provenance
    if !isFitting {
      ProgressLine.note(
        "\(folder.path("\(name).safetensors")): was made from other members or data, or with other"
          + " settings, than the folder has, so it is left out; make it anew")
    }
    return isFitting
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
    func logits(_ images: Images) throws -> [Float] {
      try finiteLogits(
        of: network, folder.path("\(name).safetensors"), on: images, threads: job.threads)
    }
    return SetLogits(
      test: [try logits(try testImages())],
      validation: try heldOutImages().map { [try logits($0)] } ?? [])
  }

  private func row(
    _ predictor: Predictor, _ logits: SetLogits, combining combination: Combination = .logits,
    file: String? = nil, parameters: Int? = nil
  ) throws -> Results.Row {
    let networks = logits.test.count
    func scores(_ logits: [[Float]], _ images: Images) -> Scores {
      Scores(
        ensemblePrediction(
          logits, classes: experiment.architecture.outputs, combining: combination),
        labels: images.labels)
    }
    return Results.Row(
      predictor: predictor, file: file.map { "\($0).safetensors" },
      test: scores(logits.test, try testImages()),
      validation: try heldOutImages().map { scores(logits.validation, $0) },
      parameters: networks * (parameters ?? experiment.architecture.parameterCount),
      forwardPasses: networks)
  }

  private func ensembleRows(_ logits: SetLogits) throws -> [Results.Row] {
    guard experiment.members > 1 else { return [] }
    return try Combination.allCases.map {
      try row(.ensemble($0), logits, combining: $0)
    }
  }
}
