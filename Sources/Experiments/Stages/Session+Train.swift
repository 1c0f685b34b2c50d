import Foundation
import MPI
import Networks
import Tensors
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
    if let coupling = experiment.exchange { return try trainCoupled(by: coupling) }
    let missing = try missingMembers()
    let kept = experiment.members - missing.count
    if job.isRoot, kept > 0 { ProgressLine.note("\(counted(kept, "member")) kept from before") }
    try trainInRounds(missing, as: .member) {
      member, trainer in
      var network = Network(
        experiment.architecture, random: RandomStream(seed: experiment.seed, "member", member))
      let records = try trainer.train(
        &network,
        on: batches(
          of: try trainingImages(ofMember: member), for: "member", member,
          threads: trainer.threads),
        minimizing: CrossEntropy())
      return (network, records)
    }
    return try job.onRoot { try folder.readMembers(for: experiment) }
  }

  /// Which members the folder does not have yet, known on every rank.
  func missingMembers() throws -> [Int] {
    var missing =
      try job.onRoot {
        (0..<experiment.members).filter { !folder.hasNetwork(RunFolder.memberName($0)) }
      } ?? []
    try world.broadcast(&missing, from: 0, phase: "experiment")
    return missing
  }

  /// A network that this rank has trained.
  struct Trained {
    let network: Network
    let records: [EpochRecord]
    let seconds: Double
  }

  /// Trains networks by number, number n on rank n mod R, and saves them round by round.
  ///
  /// - Parameters:
  ///   - numbers: all that are to be trained.
  ///   - kind: what they are.
  ///   - provenance: what their files say they were made by.
  ///   - train: trains one network.
  /// - Throws: `JointFailure`, on every rank.
  func trainInRounds(
    _ numbers: [Int], as kind: TrainedKind, provenance: Provenance? = nil,
    train: (Int, Trainer) throws -> (Network, [EpochRecord])
  ) throws {
    _ = try data()
    guard !numbers.isEmpty else { return }
    // A damaged record is found now, and not once something is made that it is to be noted in.
    _ = try job.onRoot { (try folder.readLearningLog(), try folder.readTimings()) }
    let progress = job.progress(
      "\(kind.noun) \(counted(numbers.count, kind.rawValue)) on \(counted(world.size, "rank"))")
    let rounds = Dictionary(grouping: numbers) { $0 / world.size }.sorted { $0.key < $1.key }
    for (place, round) in rounds.enumerated() {
      let own = round.value.first { worker(of: $0, among: world.size) == world.rank }
      let trained = try trainOne(own, as: kind, train: train) { done, total in
        progress.update(place * total + done, of: rounds.count * total)
      }
      try collect(trained, numbers: round.value, as: kind, provenance)
    }
    progress.finish()
  }

  /// Trains this rank's network of a round, if it has one, and waits for the other ranks.
  private func trainOne(
    _ number: Int?, as kind: TrainedKind, train: (Int, Trainer) throws -> (Network, [EpochRecord]),
    onBatch: @escaping (Int, Int) -> Void
  ) throws -> Trained? {
    let threads = try job.threadsWhileSharing(isBusy: number != nil)
    let result = Result { () throws -> Trained? in
      guard let number else { return nil }
      var trainer = trainer(of: number, as: kind, threads: threads)
      trainer.onBatch = onBatch
      trainer.validate = try validator(ofMember: number, threads: threads)
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
  ///   - kind: what they are.
  ///   - provenance: what their files say they were made by.
  /// - Throws: `JointFailure`, on every rank.
  func collect(
    _ trained: Trained?, numbers: [Int], as kind: TrainedKind, _ provenance: Provenance?
  ) throws {
    let weights = try world.gatherV(
      trained.map { $0.network.parameters + $0.network.buffers } ?? [], to: 0,
      phase: "gather \(kind.rawValue) weights")
    let curves = try world.gatherV(
      [UInt8](try JSONEncoder().encode(trained?.records ?? [])), to: 0,
      phase: "gather \(kind.rawValue) curves")
    let seconds = try world.gatherV(
      trained.map { [$0.seconds] } ?? [], to: 0, phase: "gather \(kind.rawValue) curves")

    _ = try job.onRoot {
      guard let weights, let curves, let seconds else { return }
      let graph = experiment.architecture
      try save(
        try numbers.map { number in
          let rank = worker(of: number, among: world.size)
          let network = Network(
            graph, parameters: Array(weights[rank][..<graph.parameterCount]),
            buffers: Array(weights[rank][graph.parameterCount...]))
          let records = try JSONDecoder().decode([EpochRecord].self, from: Data(curves[rank]))
          return (
            number, Trained(network: network, records: records, seconds: seconds[rank][0])
          )
        }, as: kind, provenance)
    }
  }

  /// Writes networks with their curves and seconds, on rank 0.
  private func save(
    _ trained: [(number: Int, network: Trained)], as kind: TrainedKind, _ provenance: Provenance?
  ) throws {
    var log = try folder.readLearningLog()
    for (number, trained) in trained { log.replace(kind.learner(number), with: trained.records) }
    // The checkpoint comes last: once it is there, its curve and its seconds are too.
    try folder.write(log)
    try folder.note(seconds: trained.map { (kind.file($0.number), $0.network.seconds) })
    for (number, trained) in trained {
      try folder.write(trained.network, kind.file(number), for: experiment, provenance: provenance)
    }
    try folder.remove("results.json")
  }

  /// Trains networks one after another, each by all ranks together, on images of which every rank has its own.
  ///
  /// - Parameters:
  ///   - numbers: all that are to be trained.
  ///   - kind: what they are.
  ///   - provenance: what their files say they were made by.
  ///   - train: trains one network, on every rank alike.
  /// - Throws: `JointFailure`, on every rank.
  func trainTogether(
    _ numbers: [Int], as kind: TrainedKind, provenance: Provenance?,
    train: (Int, Trainer) throws -> (Network, [EpochRecord])
  ) throws {
    let progress = job.progress(
      "\(kind.noun) \(counted(numbers.count, kind.rawValue)) on \(counted(world.size, "rank"))")
    let team = CountedTeam(try job.team())
    for (place, number) in numbers.enumerated() {
      let before = (rounds: team.count.value, bytes: job.bytesSent())
      var trainer = trainer(of: number, as: kind, threads: team.threads)
      trainer.team = team
      trainer.onBatch = { done, total in
        progress.update(place * total + done, of: numbers.count * total)
      }
      let start = ContinuousClock.now
      let (network, records) = try world.together { try train(number, trainer) }
      let sent = try job.total(bytesSent: job.bytesSent() - before.bytes)
      _ = try job.onRoot {
        try folder.note(
          cost: Costs.Cost(
            ranks: world.size, rounds: 1 + team.count.value - before.rounds,
            bytes: (sent ?? 0) + gatheringBytes + membersEverywhereBytes), of: [kind.file(number)])
        let seconds = (ContinuousClock.now - start).seconds
        try save(
          [(number, Trained(network: network, records: records, seconds: seconds))], as: kind,
          provenance)
      }
    }
    progress.finish()
  }

  /// Says that something that learns predicts no better than chance.
  func noteCollapse(of subject: String, _ record: EpochRecord) {
    ProgressLine.note(
      "\(subject) predicts no better than chance (\(decimal(100 * record.accuracy, 1)) % in epoch"
        + " \(record.epoch)): it has collapsed; try a smaller --learning-rate")
  }

  private func trainer(of number: Int, as kind: TrainedKind, threads: Int) -> Trainer {
    var trainer = Trainer(experiment.training, subject: "\(kind.rawValue) \(number)")
    trainer.threads = threads
    // What all ranks train together is told by the first.
    let isSilent = kind == .student && isSharded && !job.isRoot
    trainer.onCollapse = { record in
      if !isSilent { self.noteCollapse(of: "\(kind.rawValue) \(number)", record) }
    }
    return trainer
  }
}

/// What is trained on ranks, round by round.
enum TrainedKind: String {
  case member
  case student

  /// What is being done, for the user.
  var noun: String { self == .member ? "training" : "distilling" }

  /// Whose curve it is.
  func learner(_ number: Int) -> LearningLog.Learner {
    self == .member ? .member(number) : .student(number)
  }

  /// The checkpoint of a number.
  func file(_ number: Int) -> String {
    self == .member ? RunFolder.memberName(number) : RunFolder.studentName(number)
  }
}

/// `1 rank`, `3 ranks`.
package func counted(_ count: Int, _ noun: String) -> String {
  "\(count) \(noun)\(count == 1 ? "" : "s")"
}
