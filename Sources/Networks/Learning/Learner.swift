import Synchronization
import Tensors

/// What gradient descent moves: a network's own parameters, or whatever the network's parameters are computed from.
public protocol Learnable: Sendable {
  /// The network as it stands.
  var network: Network { get set }

  /// Moves by one step, and brings ``network`` up to date.
  ///
  /// - Parameters:
  ///   - gradient: the loss' with respect to the network's parameters.
  ///   - factor: of the base learning rates, at this step.
  ///   - team: who may share the work; results do not depend on them.
  /// - Throws: if the step cannot be taken.
  mutating func move(against gradient: [Float], factor: Float, with team: any Team) throws

  /// What a step needs of a gradient where workers with samples of their own add theirs up: how many numbers.
  var contributionCount: Int { get }

  /// What a step needs of a gradient, linear in it: all of it, or what there is to learn where that is less.
  func contribution(of gradient: [Float]) -> [Float]

  /// Moves by one step against what contributions add up to.
  mutating func move(againstSum sum: [Float], factor: Float, with team: any Team) throws

  /// What a step depends on besides the batch, as arrays by name.
  var state: [LearnerState.Array] { get }

  /// Goes on from a ``state`` that was saved.
  mutating func restore(_ state: LearnerState) throws(LearnerStateError)
}

extension Learnable {
  public var contributionCount: Int { network.parameters.count }
  public func contribution(of gradient: [Float]) -> [Float] { gradient }

  public mutating func move(againstSum sum: [Float], factor: Float, with team: any Team) throws {
    try move(against: sum, factor: factor, with: team)
  }
}

/// Something that learns, and how far it is: a value that can be saved, continued and advanced beside others.
///
/// Members, students, fine-tuning, weighted averages, permutations and straight-through matching all take their steps
/// here. Randomness is keyed by epoch, so a learner needs to know no more than its step to go on.
///
///     var learner = Learner(
///       GradientDescent(network, momentum: 0.9, weightDecay: 1e-5, learningRate: 0.1), schedule: .cosine,
///       steps: 20 * batches.batchesPerEpoch, batchSize: 512)
///     try learner.learn(from: batches, minimizing: CrossEntropy())
public struct Learner<Subject: Learnable>: Sendable {
  public var subject: Subject
  public let schedule: LearningRateSchedule

  /// How many steps there will be.
  public let steps: Int

  /// How many have been taken.
  public internal(set) var step = 0

  /// Sums over the samples of the present epoch.
  var epochLoss = 0.0
  var epochCorrect = 0

  private let threads: Int
  private var workspace: Workspace
  private var gradient: [Float]
  private let memory = PartMemory()

  /// A learner before its first step.
  ///
  /// - Parameters:
  ///   - subject: what learns.
  ///   - schedule: of its learning rates.
  ///   - steps: how many there will be.
  ///   - batchSize: the most samples of a step.
  ///   - threads: how many threads may share a step; the bits do not depend on it.
  public init(
    _ subject: Subject, schedule: LearningRateSchedule, steps: Int, batchSize: Int, threads: Int = 1
  ) {
    self.subject = subject
    self.schedule = schedule
    self.steps = steps
    self.threads = threads
    let graph = subject.network.graph
    workspace = Workspace(graph, capacity: batchSize, threads: threads)
    gradient = Array(repeating: 0, count: graph.parameterCount)
  }

  /// Learns from one batch, on this worker alone.
  ///
  /// - Returns: the batch's mean loss and correct answers, before the step.
  public mutating func step(_ batch: Batch, minimizing loss: any Loss) throws -> LossValue {
    let value = computeGradient(batch, minimizing: loss)
    try take(value, samples: batch.count, with: ThreadTeam(threads: threads))
    return value
  }

  /// The loss' gradient with respect to the network's parameters, of the last batch.
  public var networkGradient: [Float] { gradient }

  /// Runs the network on a batch forward and backward, and moves nothing.
  public mutating func computeGradient(_ batch: Batch, minimizing loss: any Loss) -> LossValue {
    subject.network.forwardTraining(batch.inputs, rows: batch.count, workspace: &workspace)
    let value = loss.evaluate(batch, workspace: &workspace)
    subject.network.backward(
      batch.inputs, rows: batch.count, workspace: &workspace, gradient: &gradient)
    return value
  }

  private mutating func take(_ value: LossValue, samples: Int, with team: any Team) throws {
    try subject.move(
      against: gradient, factor: schedule.factor(step: step, of: steps), with: team)
    count(value, samples: samples)
  }

  private mutating func count(_ value: LossValue, samples: Int) {
    step += 1
    epochLoss += value.loss * Double(samples)
    epochCorrect += value.correct
  }

  /// The present epoch's sums as means, and a new start of them.
  mutating func endEpoch(of samples: Int) -> EpochAverages {
    defer { (epochLoss, epochCorrect) = (0, 0) }
    return EpochAverages(
      loss: epochLoss / Double(samples), accuracy: Double(epochCorrect) / Double(samples))
  }
}

extension Learner {
  /// Takes the steps that are left, through epochs of batches.
  ///
  /// - Parameters:
  ///   - source: where the batches come from.
  ///   - loss: what is made small.
  ///   - onStep: called after each step with the number done and the number there will be.
  ///   - beforeStep: may change the learner before each step; given the step's number, from 0.
  ///   - endEpoch: called after each epoch, counted from 1, with the learner as it is then.
  /// - Throws: what a step or a closure throws.
  public mutating func learn(
    from source: some BatchSource, minimizing loss: any Loss,
    onStep: (Int, Int) -> Void = { _, _ in },
    beforeStep: (inout Subject, Int) throws -> Void = { _, _ in },
    endEpoch: (Int, EpochAverages, inout Subject) throws -> Void = { _, _, _ in }
  ) throws {
    var course = Course(source)
    try advance(
      to: steps, along: &course, minimizing: loss, onStep: onStep, beforeStep: beforeStep,
      endEpoch: endEpoch)
  }

  /// Takes steps up to one of them.
  ///
  /// - Parameters:
  ///   - end: how many steps will have been taken then.
  ///   - course: where the batches come from, the same for all steps of a learner.
  ///   - loss: what is made small.
  ///   - onStep: called after each step with the number done and the number there will be.
  ///   - beforeStep: may change the learner before each step; given the step's number, from 0.
  ///   - endEpoch: called after each epoch that ends, counted from 1, with the learner as it is then.
  /// - Throws: what a step or a closure throws.
  public mutating func advance(
    to end: Int, along course: inout Course<some BatchSource>, minimizing loss: any Loss,
    onStep: (Int, Int) -> Void = { _, _ in },
    beforeStep: (inout Subject, Int) throws -> Void = { _, _ in },
    endEpoch: (Int, EpochAverages, inout Subject) throws -> Void = { _, _, _ in }
  ) throws {
    try forEachStep(
      upTo: end, along: &course, onStep: onStep, beforeStep: beforeStep, endEpoch: endEpoch
    ) { learner, course, index in
      course.source.fill(&course.batch, with: index)
      _ = try learner.step(course.batch, minimizing: loss)
    }
  }

  /// Takes the steps that are left, each batch shared out to a team.
  ///
  /// A batch is cut into parts by the source alone; their gradients are added in order, so the bits depend on neither ranks nor
  /// threads. They differ in rounding from those of a batch that is computed whole.
  ///
  /// - Parameters:
  ///   - source: where the batches come from; where it is sharded each worker reads its own samples.
  ///   - loss: what is made small.
  ///   - team: who shares the steps.
  ///   - onStep: called after each step with the number done and the number there will be.
  ///   - beforeStep: may change the learner before each step, alike on every worker; given the step's number, from 0.
  ///   - endEpoch: called after each epoch, counted from 1, with the learner as it is then.
  /// - Throws: what a step or a closure throws.
  public mutating func learn(
    from source: some BatchSource, minimizing loss: any Loss, with team: any Team,
    onStep: (Int, Int) -> Void = { _, _ in },
    beforeStep: (inout Subject, Int) throws -> Void = { _, _ in },
    endEpoch: (Int, EpochAverages, inout Subject) throws -> Void = { _, _, _ in }
  ) throws {
    let graph = subject.network.graph
    if let kept = graph.buffers.first {
      throw SharedStatisticsError(node: graph.nodes[kept.node].name)
    }
    var course = Course(source)
    try forEachStep(
      upTo: steps, along: &course, onStep: onStep, beforeStep: beforeStep, endEpoch: endEpoch
    ) { learner, course, index in
      let source = course.source
      if source.isSharded {
        try learner.shardedStep(source, index, minimizing: loss, with: team)
      } else {
        try learner.sharedStep(source, index, minimizing: loss, with: team)
      }
    }
  }

  /// Takes the steps that are left: on this worker alone, or with the team where samples lie with different workers.
  ///
  /// Parameters as those of the two functions that it chooses from.
  public mutating func learn(
    from source: some BatchSource, minimizing loss: any Loss, withTeamIfSharded team: any Team,
    onStep: (Int, Int) -> Void = { _, _ in },
    beforeStep: (inout Subject, Int) throws -> Void = { _, _ in },
    endEpoch: (Int, EpochAverages, inout Subject) throws -> Void = { _, _, _ in }
  ) throws {
    if source.isSharded {
      try learn(
        from: source, minimizing: loss, with: team, onStep: onStep, beforeStep: beforeStep,
        endEpoch: endEpoch)
    } else {
      try learn(
        from: source, minimizing: loss, onStep: onStep, beforeStep: beforeStep, endEpoch: endEpoch)
    }
  }

  private mutating func forEachStep<Source: BatchSource>(
    upTo end: Int, along course: inout Course<Source>, onStep: (Int, Int) -> Void,
    beforeStep: (inout Subject, Int) throws -> Void,
    endEpoch: (Int, EpochAverages, inout Subject) throws -> Void,
    take: (inout Learner, inout Course<Source>, Int) throws -> Void
  ) throws {
    let perEpoch = course.source.batchesPerEpoch
    while step < min(steps, end) {
      let (epoch, index) = (step / perEpoch + 1, step % perEpoch)
      course.start(epoch)
      try beforeStep(&subject, step)
      try take(&self, &course, index)
      onStep(step, steps)
      if index == perEpoch - 1 {
        let averages = self.endEpoch(of: course.source.sampleCount)
        try endEpoch(epoch, averages, &subject)
      }
    }
  }

  /// Gradients of parts go to all workers, who add them up and move alike.
  private mutating func sharedStep(
    _ source: some BatchSource, _ index: Int, minimizing loss: any Loss, with team: any Team
  ) throws {
    let count = source.count(ofBatch: index)
    let rows = source.parts(ofBatch: index)
    let results = try team.map(rows.count, phase: "share gradients") {
      [part = part(of: source, index, minimizing: loss, with: team)] number -> [Float] in
      var (value, result) = part(rows[number])
      // The loss as two floats that sum to it, and the answers, behind the gradient.
      let high = Float(value.loss)
      result += [high, Float(value.loss - Double(high)), Float(value.correct)]
      return result
    }
    var sum = LossValue(loss: 0, correct: 0)
    for (part, result) in results.enumerated() {
      let share = Float(rows[part].count) / Float(count)
      if part == 0 {
        scale(result, count: gradient.count, by: share, into: &gradient)
      } else {
        accumulate(result, count: gradient.count, scale: share, into: &gradient)
      }
      let tail = result[gradient.count...]
      let loss = Double(tail[gradient.count]) + Double(tail[gradient.count + 1])
      sum.loss += loss * Double(rows[part].count) / Double(count)
      sum.correct += Int(tail[gradient.count + 2])
    }
    try take(sum, samples: count, with: team)
  }

  /// What each worker's samples contribute goes to the first, and the sum to all.
  private mutating func shardedStep(
    _ source: some BatchSource, _ index: Int, minimizing loss: any Loss, with team: any Team
  ) throws {
    let count = source.count(ofBatch: index)
    let rows = source.parts(ofBatch: index)
    let length = subject.contributionCount
    let sum = try team.reduce(rows.count, of: length + 3, phase: "share gradients") {
      [subject, part = part(of: source, index, minimizing: loss, with: team)] number -> [Float] in
      guard !rows[number].isEmpty else { return Array(repeating: 0, count: length + 3) }
      let (value, gradient) = part(rows[number])
      let share = Float(rows[number].count) / Float(count)
      let own = subject.contribution(of: gradient)
      var result: [Float] = .unwritten(length, spare: 3)
      scale(own, by: share, into: &result)
      let loss = value.loss * Double(share)
      let high = Float(loss)
      result += [high, Float(loss - Double(high)), Float(value.correct)]
      return result
    } _: { parts in
      var sum = Array(parts[0])
      for part in parts.dropFirst() { accumulate(Array(part), into: &sum) }
      return sum
    }
    try subject.move(
      againstSum: Array(sum[..<length]), factor: schedule.factor(step: step, of: steps),
      with: team)
    self.count(
      LossValue(
        loss: Double(sum[length]) + Double(sum[length + 1]), correct: Int(sum[length + 2])),
      samples: count)
  }

  /// A function for the loss and the gradient of some rows of a batch, which several threads may call.
  private func part(
    of source: some BatchSource, _ index: Int, minimizing loss: any Loss, with team: any Team
  ) -> @Sendable (Range<Int>) -> (LossValue, [Float]) {
    // A network with buffers would have to agree on them; none that is shared out has any.
    precondition(subject.network.graph.bufferCount == 0)
    let (network, memory) = (subject.network, memory)
    let own = (source.parts(ofBatch: index).count + team.size - 1) / team.size
    let threads = max(1, team.threads / max(1, own))
    return { rows in
      var gradient: [Float] = .unwritten(network.parameters.count, spare: 3)
      let value = memory.lend(
        to: rows.count,
        or: { PartMemory.Piece(network.graph, $0, source.features, threads: threads) }
      ) { memory in
        source.fill(&memory.batch, with: index, rows: rows)
        let count = memory.batch.count
        network.forward(memory.batch.inputs, rows: count, workspace: &memory.workspace)
        let value = loss.evaluate(memory.batch, workspace: &memory.workspace)
        network.backward(
          memory.batch.inputs, rows: count, workspace: &memory.workspace, gradient: &gradient)
        return value
      }
      return (value, gradient)
    }
  }
}

/// Batches that a learner goes through, and which epoch it is in.
public struct Course<Source: BatchSource>: Sendable {
  fileprivate var source: Source
  fileprivate lazy var batch = Batch(
    capacity: min(source.batchSize, source.sampleCount), features: source.features)
  private var epoch = 0

  /// The batches, before the first.
  public init(_ source: Source) { self.source = source }

  fileprivate mutating func start(_ epoch: Int) {
    guard self.epoch != epoch else { return }
    source.startEpoch(epoch)
    self.epoch = epoch
  }
}

/// Memory that parts of shared batches are computed in, lent out and kept from step to step.
private final class PartMemory: Sendable {
  struct Piece: Sendable {
    var batch: Batch
    var workspace: Workspace

    init(_ graph: Graph, _ capacity: Int, _ features: Int, threads: Int) {
      batch = Batch(capacity: capacity, features: features)
      workspace = Workspace(graph, capacity: capacity, threads: threads)
    }
  }

  private let free: Mutex<[Piece]> = Mutex([])

  /// Calls `body` with memory for some samples that nobody else has meanwhile.
  func lend<Result>(
    to samples: Int, or make: (Int) -> Piece, _ body: (inout Piece) -> Result
  ) -> Result {
    let known = free.withLock { free in
      free.firstIndex { $0.batch.capacity >= samples }.map { free.remove(at: $0) }
    }
    var piece = known ?? make(samples)
    let result = body(&piece)
    free.withLock { [piece] in $0.append(piece) }
    return result
  }
}
