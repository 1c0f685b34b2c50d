import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

/// The gradient of the merged network's loss with respect to the logits, and steps along it.
@Suite struct PermutationLearnerTests {
  @Test(arguments: [1, 2])
  func `the loss and every gradient are PyTorch's`(threads: Int) throws {
    let fixture = try PermAVGFixture()
    var learner = try PermutationLearner(
      fixture.members, settings: Self.exact(), threads: threads,
      logits: try fixture.matrices("X."))
    learner.solverTolerance = 1e-6
    for (own, expected) in zip(
      learner.permutations.joined(), try fixture.matrices("P.").joined())
    {
      #expect(largestDifference(own.elements, expected.elements) < 2e-6)
    }
    let (value, gradients) = learner.gradients(fixture.batch)
    let loss = try fixture.fixture.doubles("loss")[0]
    #expect(abs(value.loss - loss) < 2e-6)
    #expect(gradients.count == 4)
    for (index, own) in gradients.enumerated() {
      let name = "gradient.\(index / 2 + 1).\(index % 2)"
      // Float32 through a forward pass, a backward pass and the solve.
      #expect(
        relativeDifference(own.elements, try fixture.fixture.doubles(name)) < 2e-5, "\(name)")
    }
  }

  static let gradientGraphs = [
    ["7-9-4", "6-8-7-4", "5-6-7-8-3"],
    [TestGraphs.residual[0], TestGraphs.paired, TestGraphs.mixed],
    [ConvolutionalMergeTests.shallow, "lenet5:1x12x12-4", "lenet5:2x12x12-3"],
  ]

  @Test(arguments: 0..<6, gradientGraphs)
  func `the gradient agrees with central differences`(seed: Int, texts: [String]) throws {
    let graph = try #require(Graph(texts[seed % 3]))
    let members = (0..<2 + seed % 2).map { randomNetwork(graph, seed: 10 * seed + $0) }
    let batches = RandomBatches(
      labelledBy: randomNetwork(graph, seed: 99), count: 200, seed: seed)
    let hidden = graph.symmetry.groups.map(\.count)
    let start = (1..<members.count).map { member in
      hidden.enumerated().map { layer, width in
        Matrix(
          rows: width, columns: width,
          elements: normals(width * width, seed: seed, "X \(member) \(layer)"))
      }
    }
    func learner(_ logits: [[Matrix]]) throws -> PermutationLearner {
      var learner = try PermutationLearner(
        members, settings: Self.exact(), threads: 1, logits: logits)
      learner.solverTolerance = 1e-6
      return learner
    }
    let own = try learner(start).gradients(batches.whole).logits

    // One direction for each matrix, along its gradient, where the difference is largest.
    for (index, gradient) in own.enumerated() {
      let (member, layer) = (index / hidden.count, index % hidden.count)
      let norm = gradient.elements.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(norm > 1e-3)
      // Every pixel has units that turn on or off.
      let step: Float = graph.hasImages ? 0.01 : 0.02
      let losses = try [step, -step].map { step in
        var moved = start
        accumulate(
          gradient.elements, scale: step / norm, into: &moved[member][layer].elements)
        return try learner(moved).gradients(batches.whole).loss.loss
      }
      let difference = (losses[0] - losses[1]) / Double(2 * step)
      // A hundredth is for curvature, for units that turn on or off, and for the loss's rounding.
      #expect(abs(difference / Double(norm) - 1) < 0.01, "member \(member + 1), layer \(layer)")
    }
  }

  @Test func `a step lowers the loss, and moves only against the gradient`() throws {
    let fixture = try PermAVGFixture()
    var settings = Self.exact()
    settings.learningRate *= 0.2
    var learner = Learner(
      try PermutationLearner(
        fixture.members, settings: settings, threads: 1, logits: try fixture.matrices("X.")),
      schedule: .constant, steps: 1, batchSize: fixture.batch.count)
    let before = try learner.step(fixture.batch, minimizing: CrossEntropy()).loss
    let after = learner.computeGradient(fixture.batch, minimizing: CrossEntropy()).loss
    #expect(after < before)
    #expect((0...1).contains(learner.subject.sharpness))
  }

  // Of eight such starts six lead to the permutation, two to one with a pair of units exchanged.
  @Test(arguments: 0..<5)
  func `a permutation is recovered from a start that is close to it`(seed: Int) throws {
    let graph = try #require(Graph("16-12-10-8"))
    let original = randomNetwork(graph, seed: seed)
    let permutations = graph.symmetry.groups.map(\.count).enumerated().map { layer, width in
      var random = RandomStream(seed: UInt64(seed), "permutation", layer)
      return Permutation(random.permutation(of: width))
    }
    let members = [
      original, noisy(original.permuted(by: permutations), seed: seed + 100, size: 0.02),
    ]
    let start = permutations.enumerated().map { layer, permutation in
      var logits = Matrix(
        rows: permutation.count, columns: permutation.count,
        elements: normals(permutation.count * permutation.count, seed: seed, "start \(layer)"))
      accumulate(permutation.inverse.matrix.elements, scale: 1.5, into: &logits.elements)
      return logits
    }
    let settings = PermAVGSettings(
      epochs: 1, learningRate: 0.1, schedule: .constant,
      sinkhorn: SinkhornSettings(temperature: 1, epsilon: 1e-3, iterations: 100, tolerance: 1e-5))
    var learner = Learner(
      try PermutationLearner(members, settings: settings, threads: 1, logits: [start]),
      schedule: .constant, steps: 201, batchSize: 512)
    let inverses = permutations.map(\.inverse)
    func hardened() -> [Permutation] { learner.subject.permutations[0].map(maximumAssignment) }
    #expect(hardened() != inverses)
    let sharpness = learner.subject.sharpness
    let batch = RandomBatches(labelledBy: original, count: 512, seed: 6).whole
    let first = try learner.step(batch, minimizing: CrossEntropy()).loss
    var last = first
    for _ in 0..<200 { last = try learner.step(batch, minimizing: CrossEntropy()).loss }
    #expect(last < first / 2)
    #expect(learner.subject.sharpness > sharpness)
    #expect(hardened() == inverses)
    let merged = mean(
      of: [original, members[1].permuted(by: hardened())].map(\.parameters))
    // Half of the noise remains.
    #expect(largestDifference(merged, original.parameters) < 0.05)
  }

  @Test func `logits of another count are a precondition failure`() async {
    await #expect(processExitsWith: .failure) {
      guard let graph = Graph("3-2-1") else { return }
      let member = randomNetwork(graph, seed: 1)
      _ = try PermutationLearner(
        [member, member], settings: PermutationLearnerTests.exact(), threads: 1,
        logits: [[.identity(3)]])
    }
  }

  /// The thesis' τ and ε, with marginals as exact as float32 makes them.
  static func exact() -> PermAVGSettings {
    PermAVGSettings(
      epochs: 1, learningRate: 0.1, schedule: .constant,
      sinkhorn: SinkhornSettings(
        temperature: 1, epsilon: 1e-3, iterations: 5000, tolerance: 3e-7))
  }
}

extension PermutationLearner {
  /// The loss of a batch, and its gradient with respect to every X.
  func gradients(_ batch: Batch) -> (loss: LossValue, logits: [Matrix]) {
    var learner = Learner(self, schedule: .constant, steps: 1, batchSize: batch.count)
    let value = learner.computeGradient(batch, minimizing: CrossEntropy())
    return (value, logitGradients(from: learner.networkGradient))
  }
}
