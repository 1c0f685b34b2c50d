import Networks
import TestSupport
import Testing

@testable import Merging

/// The weighted mean, its gradient, and learning with it.
@Suite struct UnitWeightsTests {
  @Test(arguments: ["6-4", "6-7-4", "9-8-7-6-5"], [1, 2, 5])
  func `it starts as the plain mean`(text: String, count: Int) throws {
    let architecture = try #require(Architecture(text))
    let members = (0..<count).map { randomNetwork(architecture, seed: $0).parameters }
    let weights = UnitWeights(architecture, members: count, threads: 1)
    var mean = members[0]
    weights.merge(members, factors: Array(repeating: 1, count: count), into: &mean)
    #expect(largestDifference(mean, Networks.mean(of: members)) < 5e-7)
  }

  @Test(arguments: [1, 2])
  func `every weight's gradient agrees with central differences`(threads: Int) throws {
    let architecture = try #require(Architecture("6-8-7-4"))
    let members = (0..<3).map { randomNetwork(architecture, seed: $0).parameters }
    let factors: [Float] = [0.5, 1.5, 1]
    let batch = RandomBatches(
      labelledBy: randomNetwork(architecture, seed: 9), count: 100, seed: 1
    ).whole
    var workspace = Workspace(architecture, capacity: batch.count)
    var network = Network(architecture, parameters: members[0])
    func loss(_ weights: UnitWeights) -> Double {
      weights.merge(members, factors: factors, into: &network.parameters)
      network.forward(batch.inputs, rows: batch.count, workspace: &workspace)
      return CrossEntropy().evaluate(batch, workspace: &workspace).loss
    }
    var weights = UnitWeights(architecture, members: 3, threads: threads)
    // Away from the start, where c is one and t is nought.
    weights.move(by: normals(weights.values.count, seed: 4, "start"), scale: 0.1)
    _ = loss(weights)
    var gradient = [Float](repeating: 0, count: network.parameters.count)
    network.backward(
      batch.inputs, rows: batch.count, workspace: &workspace, gradient: &gradient)
    weights.pullBack(gradient, members, factors: factors)

    // a, c and t each along their own part of the gradient.
    let (a, c) = (3 * 19, 3 * 15)
    #expect(weights.values.count == a + c + 19)
    for part in [0..<a, a..<a + c, a + c..<a + c + 19] {
      var direction = [Float](repeating: 0, count: weights.values.count)
      for i in part { direction[i] = weights.gradient[i] }
      let norm = direction.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(norm > 1e-3)
      let step: Float = 0.004
      let losses = [step, -step].map { step in
        var moved = weights
        moved.move(by: direction, scale: step / norm)
        return loss(moved)
      }
      let difference = (losses[0] - losses[1]) / Double(2 * step)
      #expect(abs(difference / Double(norm) - 1) < 0.01, "\(part)")
    }
  }

  @Test func `a member's gradient is the mean's by the chain rule`() throws {
    let architecture = try #require(Architecture("5-6-4"))
    let members = (0..<2).map { randomNetwork(architecture, seed: $0).parameters }
    var weights = UnitWeights(architecture, members: 2, threads: 1)
    weights.move(by: normals(weights.values.count, seed: 4, "start"), scale: 0.1)
    let gradient = normals(members[0].count, seed: 5, "gradient")
    let own = weights.memberGradient(1, from: gradient, factor: 1.5)
    // The mean is linear in a member: ⟨∂L/∂θ̄, change of θ̄⟩ = ⟨own, change of the member⟩.
    let change = normals(members[0].count, seed: 6, "change")
    var (before, after) = (members[0], members[0])
    weights.merge(members, factors: [0.5, 1.5], into: &before)
    weights.merge(
      [members[0], zip(members[1], change).map { $0 + $1 }], factors: [0.5, 1.5], into: &after)
    func inner(_ a: [Float], _ b: [Float]) -> Double {
      zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    let left = inner(gradient, after) - inner(gradient, before)
    #expect(abs(left - inner(own, change)) < 1e-4 * abs(left) + 1e-4)
  }

  @Test(arguments: [2, 3])
  func `the bits do not depend on threads`(threads: Int) throws {
    let copies = try PermutedCopies()
    let settings = WeightedAverageSettings(epochs: 2, learningRate: 0.01, schedule: .cosine)
    let merged = try [1, threads].map {
      try WeightedAverage(settings, objective: .labels, name: "unit-weights").merge(
        copies.members, in: MergeContext(batches: copies.batches, threads: $0))
    }
    #expect(merged[0].network == merged[1].network)
    #expect(merged[0].history == merged[1].history)
  }

  @Test func `learned weights are far better than equal ones`() throws {
    let copies = try PermutedCopies()
    // Lined up, but for one member that is another network.
    var members = [copies.original, noisy(copies.original, seed: 3, size: 0.05)]
    members.append(randomNetwork(copies.original.architecture, seed: 77))
    let settings = WeightedAverageSettings(epochs: 30, learningRate: 0.02, schedule: .cosine)
    let merge = try WeightedAverage(settings, objective: .labels, name: "unit-weights").merge(
      members, in: MergeContext(batches: copies.batches))
    let plain = try NaiveAverage().merge(members).network
    #expect(copies.loss(of: merge.network) < copies.loss(of: plain) / 3)
    #expect(merge.history.map(\.epoch) == Array(1...30))
    #expect(merge.variants.map(\.suffix) == [""])
  }

  @Test func `the matrices' gradient agrees with central differences through the weights`() throws {
    let architecture = try #require(Architecture("6-8-7-4"))
    let members = (0..<3).map { randomNetwork(architecture, seed: $0) }
    let batch = RandomBatches(
      labelledBy: randomNetwork(architecture, seed: 9), count: 200, seed: 1
    ).whole
    var settings = PermutationLearnerTests.exact()
    settings.unitLearningRate = 0.05
    let hidden = architecture.hiddenWidths
    let start = (1..<3).map { member in
      hidden.enumerated().map { layer, width in
        Matrix(
          rows: width, columns: width,
          elements: normals(width * width, seed: 3, "X \(member) \(layer)"))
      }
    }
    func learner(_ logits: [[Matrix]]) -> PermutationLearner {
      var learner = PermutationLearner(
        members, architecture: architecture, settings: settings, batchSize: 200, threads: 1,
        logits: logits)
      learner.solverTolerance = 1e-6
      var random = RandomStream(seed: 1, "shares")
      learner.drawShares(concentration: 2, from: &random)
      return learner
    }
    var own = learner(start)
    _ = own.computeGradients(batch)
    for (index, gradient) in own.logitGradients.enumerated() {
      let norm = gradient.elements.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(norm > 1e-3)
      let step: Float = 0.02
      let losses = [step, -step].map { step in
        var moved = start
        accumulate(
          gradient.elements, scale: step / norm,
          into: &moved[index / 2][index % 2].elements)
        var learner = learner(moved)
        return learner.computeGradients(batch).loss
      }
      let difference = (losses[0] - losses[1]) / Double(2 * step)
      #expect(abs(difference / Double(norm) - 1) < 0.01, "matrix \(index)")
    }
  }
}
