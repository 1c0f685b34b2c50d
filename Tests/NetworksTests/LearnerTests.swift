import Networks
import Tensors
import TestSupport
import Testing

/// Learning as a value: saved, continued, advanced beside others, shared out.
@Suite struct LearnerTests {
  static let source = SmallBatches(count: 27, batchSize: 8, features: 6, classes: 3)
  static let steps = 12
  static let texts = ["6-7-3", "residual:6-5x2-3"]

  static func learner(
    _ text: String, seed: Int = 1, steps: Int = steps, batchSize: Int = 8, threads: Int = 1
  ) throws -> Learner<GradientDescent> {
    let graph = try Graph(parsing: text)
    let network = Network(graph, random: RandomStream(seed: UInt64(seed), "network"))
    return Learner(
      GradientDescent(network, learningRate: 0.1, momentum: 0.9, weightDecay: 1e-2),
      schedule: .cosine, steps: steps, batchSize: batchSize, threads: threads)
  }

  @Test(arguments: texts)
  func `a learner comes to a smaller loss`(text: String) throws {
    var learner = try Self.learner(text, steps: 80)
    var losses: [Double] = []
    try learner.learn(
      from: Self.source, minimizing: CrossEntropy(),
      endEpoch: { _, averages, _ in losses.append(averages.loss) })
    #expect(losses.count == 20)
    #expect(losses[19] < losses[0] / 2)
  }

  @Test func `every step and every epoch is told, with its numbers`() throws {
    var learner = try Self.learner("6-7-3")
    var (done, begun, epochs) = ([[Int]](), [Int](), [Int]())
    try learner.learn(
      from: Self.source, minimizing: CrossEntropy(), onStep: { done.append([$0, $1]) },
      beforeStep: { begun.append($1) }, endEpoch: { epoch, _, _ in epochs.append(epoch) })
    #expect(done == (1...12).map { [$0, 12] })
    #expect(begun == Array(0..<12))
    #expect(epochs == [1, 2, 3])
    #expect(learner.step == 12)
    // Nothing is left to do.
    let state = learner.state
    try learner.learn(
      from: Self.source, minimizing: CrossEntropy(), onStep: { _, _ in done.append([]) })
    #expect(learner.state == state)
    #expect(done.count == 12)
  }

  @Test(arguments: texts)
  func `learning is its steps, one after another`(text: String) throws {
    var (whole, single) = (try Self.learner(text), try Self.learner(text))
    var averages: [EpochAverages] = []
    try whole.learn(
      from: Self.source, minimizing: CrossEntropy(),
      endEpoch: { _, value, _ in averages.append(value) })
    var (loss, correct) = (0.0, 0)
    for step in 0..<Self.steps {
      let batch = Self.source.batch(ofStep: step)
      let value = try single.step(batch, minimizing: CrossEntropy())
      loss += value.loss * Double(batch.count)
      correct += value.correct
      guard step % 4 == 3 else { continue }
      let epoch = averages[step / 4]
      #expect(epoch.loss == loss / 27)
      #expect(epoch.accuracy == Double(correct) / 27)
      (loss, correct) = (0, 0)
    }
    #expect(single.subject.network == whole.subject.network)
  }

  @Test(arguments: texts, [0, 1, 3, 4, 5, 7, 11, 12])
  func `a learner that was saved goes on to the same bytes`(text: String, stop: Int) throws {
    var whole = try Self.learner(text)
    var expected: [Epoch] = []
    try whole.learn(
      from: Self.source, minimizing: CrossEntropy(),
      endEpoch: { epoch, averages, _ in expected.append(Epoch(number: epoch, averages: averages)) })

    var found: [Epoch] = []
    var first = try Self.learner(text)
    do {
      try first.learn(
        from: Self.source, minimizing: CrossEntropy(),
        beforeStep: { if $1 == stop { throw Interruption() } },
        endEpoch: { epoch, averages, _ in found.append(Epoch(number: epoch, averages: averages)) })
    } catch is Interruption {}
    let state = first.state
    #expect(state.step == stop)
    // Another learner, of other weights, in another process for all it knows.
    var second = try Self.learner(text, seed: 2)
    try second.restore(state)
    #expect(second.state == state)
    #expect(second.subject.network == first.subject.network)
    try second.learn(
      from: Self.source, minimizing: CrossEntropy(),
      endEpoch: { epoch, averages, _ in found.append(Epoch(number: epoch, averages: averages)) })
    #expect(second.subject.network == whole.subject.network)
    #expect(second.state == whole.state)
    #expect(found == expected)
  }

  private struct Epoch: Equatable {
    let number: Int
    let averages: EpochAverages
  }

  @Test func `a state of another learner is an error that says why`() throws {
    var learner = try Self.learner("6-7-3")
    let state = learner.state
    func problem(_ change: (inout LearnerState) -> Void) -> String? {
      var changed = state
      change(&changed)
      return #expect(throws: LearnerStateError.self) { try learner.restore(changed) }?.description
    }
    #expect(
      problem { $0.steps = 13 } == "the state is of step 0 of 13, the learner takes 12")
    #expect(problem { $0.step = 13 } == "the state is of step 13 of 12, the learner takes 12")
    #expect(problem { $0.step = -1 } == "the state is of step -1 of 12, the learner takes 12")
    #expect(
      problem { $0.arrays.removeAll { $0.name == "velocity" } } == "the state has no \"velocity\"")
    let other = try Self.learner("6-5-3").state
    #expect(
      problem { $0.arrays = other.arrays }
        == "\"parameters\" has 53 numbers, the learner needs 73")
    try learner.restore(state)
    #expect(learner.state == state)
  }

  @Test func `learners advanced in turn have the bytes that they have alone`() throws {
    let alone = try Self.texts.enumerated().map { seed, text in
      var learner = try Self.learner(text, seed: seed)
      try learner.learn(from: Self.source, minimizing: CrossEntropy())
      return learner.subject.network
    }
    var learners = try Self.texts.enumerated().map { try Self.learner($1, seed: $0) }
    for step in 0..<Self.steps {
      for member in [step % 2, 1 - step % 2] {
        _ = try learners[member].step(
          Self.source.batch(ofStep: step), minimizing: CrossEntropy())
      }
    }
    #expect(learners.map(\.subject.network) == alone)
  }

  @Test(arguments: texts)
  func `an exchange between steps changes both learners`(text: String) throws {
    func learn(averagingAfter exchange: Int?) throws -> [Network] {
      var learners = try (0..<2).map { try Self.learner(text, seed: $0) }
      for step in 0..<Self.steps {
        for member in learners.indices {
          _ = try learners[member].step(
            Self.source.batch(ofStep: step), minimizing: CrossEntropy())
        }
        guard step == exchange else { continue }
        let average = mean(of: learners.map(\.subject.network.parameters))
        for member in learners.indices { learners[member].subject.network.parameters = average }
      }
      return learners.map(\.subject.network)
    }
    let (apart, together) = (try learn(averagingAfter: nil), try learn(averagingAfter: 6))
    for member in 0..<2 { #expect(apart[member] != together[member]) }
    // Their velocities keep them apart after the exchange, but nearer than they were.
    #expect(together[0] != together[1])
    func distance(_ networks: [Network]) -> Float {
      zip(networks[0].parameters, networks[1].parameters)
        .reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    }
    #expect(distance(together) < distance(apart) / 4)
    let last = try learn(averagingAfter: Self.steps - 1)
    #expect(last[0] == last[1])
  }

  @Test func `before a step, the subject may be changed`() throws {
    var learner = try Self.learner("6-7-3")
    try learner.learn(
      from: Self.source, minimizing: CrossEntropy(),
      beforeStep: { subject, step in
        if step == 11 { for i in 0..<73 { subject.network.parameters[i] = 0 } }
      })
    // One step from zero at nearly no rate.
    #expect(learner.subject.network.parameters.allSatisfy { abs($0) < 0.1 })
  }

  @Test func `weight decay leaves the norms alone`() throws {
    let graph = try #require(Graph("residual:6-5x2-3"))
    let network = randomized(graph, seed: 1)
    var subject = GradientDescent(network, learningRate: 0.5, momentum: 0, weightDecay: 0.25)
    let still = [Float](repeating: 0, count: graph.parameterCount)
    subject.move(against: still, factor: 0.5, with: ThreadTeam())
    var decayed = 0
    for tensor in graph.tensors {
      let (before, after) = (
        network.parameters[tensor.range], subject.network.parameters[tensor.range]
      )
      if graph.nodes[tensor.node].layer is LayerNorm {
        #expect(after == before, "\(tensor.name)")
      } else {
        decayed += 1
        #expect(
          largestDifference(after, before.map { $0 * (1 - 0.25 * 0.25) }) < 1e-6,
          "\(tensor.name)")
      }
    }
    #expect(decayed == graph.tensors.count - 6)
  }

  @Test func `a gradient is computed without a move`() throws {
    var learner = try Self.learner("residual:6-5x2-3")
    let (before, batch) = (learner.state, Self.source.batch(ofStep: 0))
    let value = learner.computeGradient(batch, minimizing: CrossEntropy())
    #expect(learner.state == before)
    let own = lossAndGradient(learner.subject.network, batch)
    #expect(learner.networkGradient == own.gradient)
    #expect(value.loss == own.loss)
  }

  @Test(arguments: [2, 3])
  func `any number of threads gives the same bits`(threads: Int) throws {
    // Wide enough that products are cut into tiles and the optimiser's pass into parts.
    let source = SmallBatches(count: 600, batchSize: 512, features: 300, classes: 5)
    func learn(threads: Int) throws -> Network {
      var learner = try Self.learner(
        "300-260-130-5", steps: 4, batchSize: 512, threads: threads)
      try learner.learn(from: source, minimizing: CrossEntropy())
      return learner.subject.network
    }
    #expect(try learn(threads: threads) == learn(threads: 1))
  }

  @Test(arguments: ["20-16-5", "residual:20-12x2-5"], [257, 515])
  func `batches that a team shares give the same bytes whatever the threads`(
    text: String, batchSize: Int
  ) throws {
    // Two or three parts a batch, not all of one size.
    let source = SmallBatches(count: 771, batchSize: batchSize, features: 20, classes: 5)
    func learner() throws -> Learner<GradientDescent> {
      try Self.learner(text, steps: 6, batchSize: batchSize)
    }
    var whole = try learner()
    var expected: [EpochAverages] = []
    try whole.learn(
      from: source, minimizing: CrossEntropy(),
      endEpoch: { _, averages, _ in expected.append(averages) })

    var results: [(state: LearnerState, epochs: [EpochAverages])] = []
    for threads in 1...3 {
      var shared = try learner()
      var epochs: [EpochAverages] = []
      var steps: [Int] = []
      try shared.learn(
        from: source, minimizing: CrossEntropy(), with: ThreadTeam(threads: threads),
        onStep: { done, _ in steps.append(done) },
        endEpoch: { _, averages, _ in epochs.append(averages) })
      #expect(steps == Array(1...6))
      results.append((shared.state, epochs))
    }
    #expect(results.allSatisfy { $0 == results[0] })
    #expect(
      largestDifference(
        try results[0].state.array("parameters", count: whole.subject.network.parameters.count),
        whole.subject.network.parameters) < 1e-6)
    for (own, expected) in zip(results[0].epochs, expected) {
      #expect(abs(own.loss - expected.loss) < 1e-5)
      // An answer that is a tie to rounding may go either way.
      #expect(abs(own.accuracy - expected.accuracy) < 2.5e-3)
    }
    #expect(results[0].epochs.count == 6 / source.batchesPerEpoch)
  }

  @Test func `a batch of one part is shared without a difference`() throws {
    var (whole, shared) = (try Self.learner("6-7-3"), try Self.learner("6-7-3"))
    try whole.learn(from: Self.source, minimizing: CrossEntropy())
    try shared.learn(
      from: Self.source, minimizing: CrossEntropy(), with: ThreadTeam(threads: 2))
    #expect(shared.subject.network == whole.subject.network)
  }
}
