import Foundation
import MPI
import Networks
import Training

extension Session {
  /// Trains the members, each on its rank, and gathers them on rank 0, which saves them.
  ///
  /// Member m trains on rank m mod R, without a message until all are done. Members that the folder
  /// already has are kept.
  ///
  /// - Returns: all members by number, on rank 0; nil elsewhere.
  /// - Throws: `JointFailure`, on every rank.
  public func trainMembers() throws -> [Network]? {
    let missing = try missingMembers()
    let own = missing.filter { $0 % world.size == world.rank }
    let progress =
      missing.isEmpty
      ? nil
      : self.progress(
        "training \(counted(missing.count, "member")) on \(counted(world.size, "rank"))")

    let trained = try trainEach(own, progress) { member, trainer in
      var network = Network(
        experiment.architecture, random: RandomStream(seed: experiment.seed, "member", member))
      let records = try trainer.train(
        &network, on: try batches(for: "member", member, threads: trainer.threads),
        minimizing: CrossEntropy())
      return (network, records)
    } subject: {
      "member \($0)"
    }
    progress?.finish()
    try collect(trained, numbers: missing, stage: "member", name: RunFolder.memberName)
    return try onRoot { try folder.readMembers(for: experiment) }
  }

  /// Which members the folder does not have yet, known on every rank.
  private func missingMembers() throws -> [Int] {
    var missing =
      try onRoot {
        (0..<experiment.members).filter { !folder.hasNetwork(RunFolder.memberName($0)) }
      } ?? []
    try world.broadcast(&missing, from: 0, phase: "experiment")
    let kept = experiment.members - missing.count
    if isRoot, kept > 0 { ProgressLine.note("\(counted(kept, "member")) kept from before") }
    return missing
  }

  /// A network that this rank has trained.
  struct Trained {
    let network: Network
    let records: [EpochRecord]
    let seconds: Double
  }

  /// Trains this rank's share, one after another.
  func trainEach(
    _ numbers: [Int], _ progress: ProgressLine?,
    _ train: (Int, Trainer) throws -> (Network, [EpochRecord]), subject: (Int) -> String
  ) throws -> [Trained] {
    _ = try data()
    let threads = try threadsWhileSharing(isBusy: !numbers.isEmpty)
    let result = Result {
      try numbers.enumerated().map { place, number in
        var trainer = Trainer(experiment.training, subject: subject(number))
        trainer.onBatch = { done, total in
          progress?.update(place * total + done, of: numbers.count * total)
        }
        trainer.threads = threads
        trainer.validate = try validator(threads: threads)
        let start = ContinuousClock.now
        let (network, records) = try train(number, trainer)
        return Trained(
          network: network, records: records, seconds: (ContinuousClock.now - start).seconds)
      }
    }
    // Ranks that are done leave their core to those that are not.
    try world.idleBarrier(phase: "waiting for the last to train")
    return try world.together { try result.get() }
  }

  /// Gathers what the ranks trained on rank 0, which saves it by number.
  ///
  /// - Parameters:
  ///   - trained: this rank's share, in the order of its numbers.
  ///   - numbers: all that were trained; number n by rank n mod R.
  ///   - stage: the learning curves' stage, and the ledger's.
  ///   - name: the checkpoint of a number.
  /// - Throws: `JointFailure`, on every rank.
  func collect(
    _ trained: [Trained], numbers: [Int], stage: String, name: (Int) -> String
  ) throws {
    let weights = try world.gatherV(
      trained.flatMap(\.network.parameters), to: 0, phase: "gather \(stage) weights")
    let curves = try world.gatherV(
      [UInt8](try JSONEncoder().encode(trained.map(\.records))), to: 0,
      phase: "gather \(stage) curves")
    let seconds = try world.gatherV(
      trained.map(\.seconds), to: 0, phase: "gather \(stage) curves")

    _ = try onRoot {
      guard let weights, let curves, let seconds, !numbers.isEmpty else { return }
      var log = try folder.readLearningLog()
      var timings: [(name: String, seconds: Double)] = []
      let count = experiment.architecture.parameterCount
      for rank in 0..<world.size {
        let share = numbers.filter { $0 % world.size == rank }
        let records = try JSONDecoder().decode([[EpochRecord]].self, from: Data(curves[rank]))
        for (place, number) in share.enumerated() {
          let parameters = weights[rank][place * count..<(place + 1) * count]
          try folder.write(
            Network(experiment.architecture, parameters: Array(parameters)), name(number),
            for: experiment)
          timings.append((name(number), seconds[rank][place]))
          log.replace(
            stage: stage, index: number,
            with: records[place].map {
              LearningLog.Record(
                stage: stage, index: number, epoch: $0.epoch, loss: $0.loss,
                accuracy: $0.accuracy, validationAccuracy: $0.validationAccuracy)
            })
        }
      }
      try folder.write(log)
      try folder.note(seconds: timings)
    }
  }
}

/// `1 rank`, `3 ranks`.
func counted(_ count: Int, _ noun: String) -> String {
  "\(count) \(noun)\(count == 1 ? "" : "s")"
}
