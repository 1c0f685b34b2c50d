import Datasets
import MPI
import Networks
import Tensors
import Training

extension Session {
  /// Trains all members side by side, with exchanges between their steps, and gathers them on rank 0, which saves them.
  ///
  /// Member m trains on rank m mod R; ranks with several advance one after another up to each exchange. Members that the folder
  /// has are kept if it has all: what they told each other is not kept, so one alone cannot be trained again.
  ///
  /// - Parameter coupling: the exchange.
  /// - Returns: all members by number, on rank 0; nil elsewhere.
  /// - Throws: `JointFailure`, on every rank.
  func trainCoupled(by coupling: Coupling) throws -> [Network]? {
    guard try !missingMembers().isEmpty else {
      if job.isRoot {
        ProgressLine.note("\(counted(experiment.members, "member")) kept from before")
      }
      return try job.onRoot { try folder.readMembers(for: experiment) }
    }
    // A damaged record is found now, and not once something is made that it is to be noted in.
    _ = try job.onRoot { (try folder.readLearningLog(), try folder.readTimings()) }
    let progress = job.progress(
      "training \(counted(experiment.members, "member")) on \(counted(world.size, "rank")) with"
        + " \(coupling.description)")
    let before = job.bytesSent(in: "exchange")
    let (trained, exchanges) = try advanceTogether(by: coupling, progress)
    let sent = try job.total(bytesSent: job.bytesSent(in: "exchange") - before)
    _ = try job.onRoot {
      try folder.note(
        cost: Costs.Cost(
          ranks: world.size, rounds: exchanges + (coupling.leavesMeanEverywhere ? 0 : 1),
          bytes: (sent ?? 0) + (coupling.leavesMeanEverywhere ? 0 : gatheringBytes)),
        of: ["members"])
    }
    let rounds = stride(from: 0, to: experiment.members, by: world.size)
    for first in rounds {
      let numbers = Array(first..<min(first + world.size, experiment.members))
      let own = numbers.first { worker(of: $0, among: world.size) == world.rank }
      try collect(own.flatMap { trained[$0] }, numbers: numbers, as: .member, nil)
    }
    progress.finish()
    return try job.onRoot { try folder.readMembers(for: experiment) }
  }

  /// How many images each member learns from.
  private func sampleCounts() throws -> [Int] {
    if isSharded { return try data().counts.map { $0 - experiment.validation } }
    let all = try trainingImages()?.count ?? 0
    return Array(repeating: all, count: experiment.members)
  }

  /// A member on its way.
  private struct Apprentice {
    var learner: Learner<GradientDescent>
    var course: Course<ImageBatches>
    let validate: ((Network) throws -> Double)?
    var records: [EpochRecord] = []
    var seconds = 0.0
  }

  /// Trains this rank's members from exchange to exchange.
  private func advanceTogether(
    by coupling: Coupling, _ progress: ProgressLine
  ) throws -> (members: [Int: Trained], exchanges: Int) {
    let settings = experiment.training
    let counts = try sampleCounts()
    let batches = counts.map { ($0 + settings.batchSize - 1) / settings.batchSize }
    let stops = coupling.period.stops(epochs: settings.epochs, batches: batches)
    let own = (0..<experiment.members).filter { worker(of: $0, among: world.size) == world.rank }
    let threads = try job.threadsWhileSharing(isBusy: !own.isEmpty)
    let team = try job.team()
    func start(_ member: Int) -> Network {
      Network(
        experiment.architecture,
        random: RandomStream(
          seed: experiment.seed, "member", coupling.start == .shared ? 0 : member))
    }
    var exchange = coupling.makeExchange()
    if coupling.start == .shared { exchange.begin(from: start(0).parameters) }
    var apprentices: [Apprentice?] = try (0..<experiment.members).map { member in
      guard own.contains(member) else { return nil }
      let images = try trainingImages(ofMember: member)
      return Apprentice(
        learner: Learner(
          GradientDescent(
            start(member), learningRate: settings.learningRate, momentum: settings.momentum,
            weightDecay: settings.weightDecay),
          schedule: settings.schedule, steps: settings.epochs * batches[member],
          batchSize: min(settings.batchSize, images.count), threads: threads),
        course: Course(self.batches(of: images, for: "member", member, threads: threads)),
        validate: try validator(ofMember: member, threads: threads))
    }
    for (number, stop) in stops.enumerated() {
      try world.together {
        for member in own { try advance(&apprentices[member], member, to: stop[member]) }
      }
      var population = Population(
        apprentices.map { $0?.learner.subject }, of: experiment.architecture, sampleCounts: counts)
      try exchange.exchange(
        &population,
        at: ExchangeMoment(
          number: number + 1, of: stops.count,
          // Of the step that the member with most of them has just taken.
          rateFactor: settings.schedule.factor(
            step: (stop.max() ?? 1) - 1, of: settings.epochs * (batches.max() ?? 1)),
          seed: experiment.seed), with: team)
      for member in own { apprentices[member]?.learner.subject = population[member] }
      progress.update(number + 1, of: stops.count)
    }
    let trained = try world.together {
      try Dictionary(
        uniqueKeysWithValues: own.compactMap { member -> (Int, Trained)? in
          guard let apprentice = apprentices[member] else { return nil }
          let network = apprentice.learner.subject.network
          guard network.isFinite else { throw divergence(of: member, settings.epochs) }
          return (
            member,
            Trained(network: network, records: apprentice.records, seconds: apprentice.seconds)
          )
        })
    }
    return (trained, stops.count)
  }

  private func advance(_ apprentice: inout Apprentice?, _ member: Int, to stop: Int) throws {
    guard var own = apprentice else { return }
    apprentice = nil
    let start = ContinuousClock.now
    var records = own.records
    try own.learner.advance(
      to: stop, along: &own.course, minimizing: CrossEntropy(),
      endEpoch: { epoch, averages, subject in
        guard averages.loss.isFinite, subject.network.isFinite else {
          throw divergence(of: member, epoch)
        }
        let record = EpochRecord(
          epoch: epoch, loss: averages.loss, accuracy: averages.accuracy,
          validationAccuracy: try own.validate?(subject.network))
        let classes = experiment.architecture.outputs
        if record.isCollapsed(classes: classes),
          !records.contains(where: { $0.isCollapsed(classes: classes) })
        {
          noteCollapse(of: "member \(member)", record)
        }
        records.append(record)
      })
    own.records = records
    own.seconds += (ContinuousClock.now - start).seconds
    apprentice = own
  }

  private func divergence(of member: Int, _ epoch: Int) -> DivergenceError {
    DivergenceError(
      subject: "member \(member)", epoch: epoch, learningRate: experiment.training.learningRate)
  }
}
