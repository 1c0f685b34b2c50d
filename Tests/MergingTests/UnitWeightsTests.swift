import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

/// The weighted mean, its gradient, and learning with it.
@Suite struct UnitWeightsTests {
  @Test(arguments: ["6-4", "6-7-4", "9-8-7-6-5"] + TestGraphs.all, [1, 2, 5])
  func `it starts as the plain mean`(text: String, count: Int) throws {
    let graph = try #require(Graph(text))
    let members = (0..<count).map { randomNetwork(graph, seed: $0).parameters }
    let weights = UnitWeights(graph, members: count)
    var mean = members[0]
    try weights.merge(
      members, factors: Array(repeating: 1, count: count), into: &mean, with: ThreadTeam())
    #expect(largestDifference(mean, Tensors.mean(of: members)) < 5e-7)
  }

  @Test(
    arguments: [1, 2],
    ["6-8-7-4", TestGraphs.residual[0], TestGraphs.paired, TestGraphs.mixed, "cnn:2x8x8-4"])
  func `every weight's gradient agrees with central differences`(threads: Int, text: String) throws
  {
    let graph = try #require(Graph(text))
    let members = (0..<3).map { randomNetwork(graph, seed: $0).parameters }
    let factors: [Float] = [0.5, 1.5, 1]
    let batch = RandomBatches(
      labelledBy: randomNetwork(graph, seed: 9), count: 100, seed: 1
    ).whole
    var workspace = Workspace(graph, capacity: batch.count)
    var network = Network(graph, parameters: members[0])
    let team = ThreadTeam(threads: threads)
    func loss(_ weights: UnitWeights) throws -> Double {
      try weights.merge(members, factors: factors, into: &network.parameters, with: team)
      network.forward(batch.inputs, rows: batch.count, workspace: &workspace)
      return CrossEntropy().evaluate(batch, workspace: &workspace).loss
    }
    var weights = UnitWeights(graph, members: 3)
    // Away from the start, where c is one and t is nought.
    weights.move(by: normals(weights.values.count, seed: 4, "start"), scale: 0.1)
    _ = try loss(weights)
    var gradient = [Float](repeating: 0, count: network.parameters.count)
    network.backward(
      batch.inputs, rows: batch.count, workspace: &workspace, gradient: &gradient)
    try weights.pullBack(gradient, members, factors: factors, with: team)

    // a, c and t each along their own part of the gradient.
    let (units, inputs) = [
      "6-8-7-4": (19, 15), TestGraphs.residual[0]: (8 * 8 + 4, 8 * 5),
      TestGraphs.paired: (3 * 9 + 4, 3 * 9), TestGraphs.mixed: (4 * 9 + 11 + 8, 3 * 9 + 11),
      "cnn:2x8x8-4": (32 + 64 + 128 + 4, 32 + 64 + 128),
    ][text, default: (0, 0)]
    let (a, c) = (3 * units, 3 * inputs)
    #expect(weights.values.count == a + c + units)
    for part in [0..<a, a..<a + c, a + c..<a + c + units] {
      var direction = [Float](repeating: 0, count: weights.values.count)
      for i in part { direction[i] = weights.gradient[i] }
      let norm = direction.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(norm > 1e-3)
      let step: Float = 0.004
      let losses = try [step, -step].map { step in
        var moved = weights
        moved.move(by: direction, scale: step / norm)
        return try loss(moved)
      }
      let difference = (losses[0] - losses[1]) / Double(2 * step)
      #expect(abs(difference / Double(norm) - 1) < 0.01, "\(part)")
    }
  }

  @Test(arguments: ["5-6-4", TestGraphs.residual[0], TestGraphs.paired, TestGraphs.mixed])
  func `a member's gradient is the mean's by the chain rule`(text: String) throws {
    let graph = try #require(Graph(text))
    let members = (0..<2).map { randomNetwork(graph, seed: $0).parameters }
    var weights = UnitWeights(graph, members: 2)
    weights.move(by: normals(weights.values.count, seed: 4, "start"), scale: 0.1)
    let gradient = normals(members[0].count, seed: 5, "gradient")
    let own = weights.memberGradient(1, from: gradient, factor: 1.5)
    // The mean is linear in a member: ⟨∂L/∂θ̄, change of θ̄⟩ = ⟨own, change of the member⟩.
    let change = normals(members[0].count, seed: 6, "change")
    var (before, after) = (members[0], members[0])
    let team = ThreadTeam()
    try weights.merge(members, factors: [0.5, 1.5], into: &before, with: team)
    try weights.merge(
      [members[0], zip(members[1], change).map { $0 + $1 }], factors: [0.5, 1.5], into: &after,
      with: team)
    func inner(_ a: [Float], _ b: [Float]) -> Double {
      zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    let left = inner(gradient, after) - inner(gradient, before)
    #expect(abs(left - inner(own, change)) < 1e-4 * abs(left) + 1e-4)
  }

  @Test(arguments: [2, 3])
  func `the bits do not depend on threads`(threads: Int) throws {
    let copies = try PermutedCopies()
    let settings = LearningSettings(epochs: 2, learningRate: 0.01, schedule: .cosine)
    let merged = try [1, threads].map {
      try WeightedAverage(settings, objective: .labels, name: "unit-weights").merge(
        copies.members, with: MergeResources(team: ThreadTeam(threads: $0), batches: copies.batches)
      )
    }
    #expect(merged[0].network == merged[1].network)
    #expect(merged[0].epochs == merged[1].epochs)
  }

  @Test func `learned weights are far better than equal ones`() throws {
    let copies = try PermutedCopies()
    // Lined up, but for one member that is another network.
    var members = [copies.original, noisy(copies.original, seed: 3, size: 0.05)]
    members.append(randomNetwork(copies.original.graph, seed: 77))
    let settings = LearningSettings(epochs: 30, learningRate: 0.02, schedule: .cosine)
    let merge = try WeightedAverage(settings, objective: .labels, name: "unit-weights").merge(
      members, with: MergeResources(batches: copies.batches))
    let plain = try NaiveAverage().merge(members).network
    #expect(copies.loss(of: merge.network) < copies.loss(of: plain) / 3)
    #expect(merge.epochs.map(\.epoch) == Array(1...30))
    #expect(merge.variants.map(\.suffix) == [""])
  }

  @Test(arguments: ["6-8-7-4", TestGraphs.residual[0], TestGraphs.paired, TestGraphs.mixed])
  func `the matrices' gradient agrees with central differences through the weights`(
    text: String
  ) throws {
    let graph = try #require(Graph(text))
    let members = (0..<3).map { randomNetwork(graph, seed: $0) }
    let batch = RandomBatches(
      labelledBy: randomNetwork(graph, seed: 9), count: 200, seed: 1
    ).whole
    var settings = PermutationLearnerTests.exact()
    settings.unitLearningRate = 0.05
    let hidden = graph.symmetry.groups.map(\.count)
    let start = (1..<3).map { member in
      hidden.enumerated().map { layer, width in
        Matrix(
          rows: width, columns: width,
          elements: normals(width * width, seed: 3, "X \(member) \(layer)"))
      }
    }
    func learner(_ logits: [[Matrix]]) throws -> PermutationLearner {
      var learner = try PermutationLearner(members, settings: settings, threads: 1, logits: logits)
      learner.solverTolerance = 1e-6
      var random = RandomStream(seed: 1, "shares")
      try learner.drawShares(concentration: 2, from: &random)
      return learner
    }
    let own = try learner(start).gradients(batch).logits
    for (index, gradient) in own.enumerated() {
      let norm = gradient.elements.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(norm > 1e-3)
      // Smaller where units of several blocks turn on or off on the way.
      let step: Float = text == "6-8-7-4" ? 0.02 : 0.0025
      let losses = try [step, -step].map { step in
        var moved = start
        accumulate(
          gradient.elements, scale: step / norm,
          into: &moved[index / hidden.count][index % hidden.count].elements)
        return try learner(moved).gradients(batch).loss.loss
      }
      let difference = (losses[0] - losses[1]) / Double(2 * step)
      #expect(abs(difference / Double(norm) - 1) < 0.01, "matrix \(index)")
    }
  }
}
