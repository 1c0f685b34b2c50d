import Foundation
import MPI
import Networks
import Training

extension Session {
  /// Trains the members, each on its rank, and gathers them on rank 0, which saves them.
  ///
  /// Member m trains on rank m mod R, in rounds of at most R; each round is gathered and saved when it is
  /// done, so that an interruption costs no more than one. Members that the folder already has are kept.
  ///
  /// - Returns: all members by number, on rank 0; nil elsewhere.
  /// - Throws: `JointFailure`, on every rank.
  public func trainMembers() throws -> [Network]? {
    let missing = try missingMembers()
    try trainInRounds(missing, stage: "member", noun: "training", name: RunFolder.memberName) {
      member, trainer in
      var network = Network(
        experiment.architecture, random: RandomStream(seed: experiment.seed, "member", member))
      let records = try trainer.train(
        &network, on: try batches(for: "member", member, threads: trainer.threads),
        minimizing: CrossEntropy())
      return (network, records)
    }
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
  private struct Trained {
    let network: Network
    let records: [EpochRecord]
    let seconds: Double
  }

  /// Trains networks by number, number n on rank n mod R, and saves them round by round.
  ///
  /// - Parameters:
  ///   - numbers: all that are to be trained.
  ///   - stage: the learning curves' stage, and the ledger's.
  ///   - noun: what is being done, for the user.
  ///   - name: the checkpoint of a number.
  ///   - train: trains one network.
  /// - Throws: `JointFailure`, on every rank.
  func trainInRounds(
    _ numbers: [Int], stage: String, noun: String, name: (Int) -> String,
    train: (Int, Trainer) throws -> (Network, [EpochRecord])
  ) throws {
    _ = try data()
    guard !numbers.isEmpty else { return }
    let progress = self.progress(
      "\(noun) \(counted(numbers.count, stage)) on \(counted(world.size, "rank"))")
    let rounds = Dictionary(grouping: numbers) { $0 / world.size }.sorted { $0.key < $1.key }
    for (place, round) in rounds.enumerated() {
      let own = round.value.first { $0 % world.size == world.rank }
      let trained = try trainOne(own, stage: stage, train: train) { done, total in
        progress.update(place * total + done, of: rounds.count * total)
      }
      try collect(trained, numbers: round.value, stage: stage, name: name)
    }
    progress.finish()
  }

  /// Trains this rank's network of a round, if it has one, and waits for the other ranks.
  private func trainOne(
    _ number: Int?, stage: String, train: (Int, Trainer) throws -> (Network, [EpochRecord]),
    onBatch: @escaping (Int, Int) -> Void
  ) throws -> Trained? {
    let threads = try threadsWhileSharing(isBusy: number != nil)
    let result = Result { () throws -> Trained? in
      guard let number else { return nil }
      var trainer = Trainer(experiment.training, subject: "\(stage) \(number)")
      trainer.threads = threads
      trainer.onBatch = onBatch
      trainer.validate = try validator(threads: threads)
      let start = ContinuousClock.now
      let (network, records) = try train(number, trainer)
      return Trained(
        network: network, records: records, seconds: (ContinuousClock.now - start).seconds)
    }
    // Ranks that are done leave their core to those that are not.
    try world.idleBarrier(phase: "waiting for the last to train")
    return try world.together { try result.get() }
  }

  /// Gathers what the ranks trained on rank 0, which saves it by number.
  ///
  /// - Parameters:
  ///   - trained: this rank's network, if it had one to train.
  ///   - numbers: all that were trained, at most one by each rank; number n by rank n mod R.
  ///   - stage: the learning curves' stage, and the ledger's.
  ///   - name: the checkpoint of a number.
  /// - Throws: `JointFailure`, on every rank.
  private func collect(
    _ trained: Trained?, numbers: [Int], stage: String, name: (Int) -> String
  ) throws {
    let weights = try world.gatherV(
      trained?.network.parameters ?? [], to: 0, phase: "gather \(stage) weights")
    let curves = try world.gatherV(
      [UInt8](try JSONEncoder().encode(trained?.records ?? [])), to: 0,
      phase: "gather \(stage) curves")
    let seconds = try world.gatherV(
      trained.map { [$0.seconds] } ?? [], to: 0, phase: "gather \(stage) curves")

    _ = try onRoot {
      guard let weights, let curves, let seconds else { return }
      var log = try folder.readLearningLog()
      for number in numbers {
        let rank = number % world.size
        let records = try JSONDecoder().decode([EpochRecord].self, from: Data(curves[rank]))
        log.replace(
          stage: stage, index: number,
          with: records.map {
            LearningLog.Record(
              stage: stage, index: number, epoch: $0.epoch, loss: $0.loss,
              accuracy: $0.accuracy, validationAccuracy: $0.validationAccuracy)
          })
      }
      // The checkpoint comes last: once it is there, its curve and its seconds are too.
      try folder.write(log)
      try folder.note(seconds: numbers.map { (name($0), seconds[$0 % world.size][0]) })
      for number in numbers {
        let network = Network(
          experiment.architecture, parameters: weights[number % world.size])
        try folder.write(network, name(number), for: experiment)
      }
      try folder.remove("results.json")
    }
  }
}

/// `1 rank`, `3 ranks`.
func counted(_ count: Int, _ noun: String) -> String {
  "\(count) \(noun)\(count == 1 ? "" : "s")"
}
