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

  /// What a step depends on besides the batch, as arrays by name.
  var state: [LearnerState.Array] { get }

  /// Goes on from a ``state`` that was saved.
  mutating func restore(_ state: LearnerState) throws(LearnerStateError)
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

/// The mean loss in nats and the accuracy over an epoch's samples, each batch before its own step.
public struct EpochAverages: Equatable, Sendable {
  public var loss: Double
  public var accuracy: Double
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
    var batch = Batch(
      capacity: min(source.batchSize, source.sampleCount), features: source.features)
    try forEachStep(of: source, onStep: onStep, beforeStep: beforeStep, endEpoch: endEpoch) {
      learner, source, index in
      source.fill(&batch, with: index)
      _ = try learner.step(batch, minimizing: loss)
    }
  }

  /// Takes the steps that are left, each batch shared out to a team.
  ///
  /// A batch is cut into parts by its size alone; their gradients are added in order, so the bits depend on neither ranks nor
  /// threads. They differ in rounding from those of a batch that is computed whole.
  public mutating func learn(
    from source: some BatchSource, minimizing loss: any Loss, with team: any Team,
    onStep: (Int, Int) -> Void = { _, _ in },
    endEpoch: (Int, EpochAverages, inout Subject) throws -> Void = { _, _, _ in }
  ) throws {
    try forEachStep(of: source, onStep: onStep, beforeStep: { _, _ in }, endEpoch: endEpoch) {
      learner, source, index in
      try learner.sharedStep(source, index, minimizing: loss, with: team)
    }
  }

  private mutating func forEachStep<Source: BatchSource>(
    of source: Source, onStep: (Int, Int) -> Void, beforeStep: (inout Subject, Int) throws -> Void,
    endEpoch: (Int, EpochAverages, inout Subject) throws -> Void,
    take: (inout Learner, Source, Int) throws -> Void
  ) throws {
    var source = source
    let perEpoch = source.batchesPerEpoch
    var started = 0
    while step < steps {
      let (epoch, index) = (step / perEpoch + 1, step % perEpoch)
      if started != epoch {
        source.startEpoch(epoch)
        started = epoch
      }
      try beforeStep(&subject, step)
      try take(&self, source, index)
      onStep(step, steps)
      if index == perEpoch - 1 {
        let averages = self.endEpoch(of: source.sampleCount)
        try endEpoch(epoch, averages, &subject)
      }
    }
  }

  /// The most samples whose gradient is computed at once where a batch is shared out.
  private static var partSize: Int { 256 }

  private mutating func sharedStep(
    _ source: some BatchSource, _ index: Int, minimizing loss: any Loss, with team: any Team
  ) throws {
    let count = source.count(ofBatch: index)
    let parts = (count + Self.partSize - 1) / Self.partSize
    let rows = (0..<parts).map { $0 * count / parts..<($0 + 1) * count / parts }
    // A network with buffers would have to agree on them; none that is shared out has any.
    precondition(subject.network.graph.bufferCount == 0)
    let network = subject.network
    let own = (parts + team.size - 1) / team.size
    let threads = max(1, team.threads / max(1, own))
    let results = try team.map(parts, phase: "share gradients") { part -> [Float] in
      var batch = Batch(capacity: rows[part].count, features: source.features)
      source.fill(&batch, with: index, rows: rows[part])
      var workspace = Workspace(network.graph, capacity: batch.count, threads: threads)
      network.forward(batch.inputs, rows: batch.count, workspace: &workspace)
      let value = loss.evaluate(batch, workspace: &workspace)
      var gradient: [Float] = []
      gradient.reserveCapacity(network.parameters.count + 3)
      gradient.append(contentsOf: repeatElement(0, count: network.parameters.count))
      network.backward(
        batch.inputs, rows: batch.count, workspace: &workspace, gradient: &gradient)
      // The loss as two floats that sum to it, and the answers, behind the gradient.
      let high = Float(value.loss)
      gradient += [high, Float(value.loss - Double(high)), Float(value.correct)]
      return gradient
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
}
