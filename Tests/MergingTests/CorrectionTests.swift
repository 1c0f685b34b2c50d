import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

/// Corrections of a merged network by what its units do on training samples.
@Suite struct CorrectionTests {
  /// Noisy copies of a network, and samples.
  private struct Problem {
    let members: [Network]
    let inputs: [Float]
    var resources: MergeResources { MergeResources(samples: SamplesInMemory(inputs, features: 8)) }

    init(_ text: String = "8-14-12-5", count: Int = 3, noise: Float = 0.6) throws {
      let original = randomNetwork(try #require(Graph(text)), seed: 1)
      members = (0..<count).map { noisy(original, seed: $0, size: noise) }
      inputs = normals(1500 * 8, seed: 2)
    }

    /// The means over the members of their units' means and deviations before the ReLU.
    func goal(_ layer: Int, of members: [Network]) -> (means: [Double], deviations: [Double]) {
      let moments = members.map {
        columnMoments(DoubleLayers(network: $0).preActivations(inputs, layer: layer))
      }
      func average(_ values: [[Double]]) -> [Double] {
        values[0].indices.map { unit in
          values.reduce(0) { $0 + $1[unit] } / Double(values.count)
        }
      }
      return (average(moments.map(\.means)), average(moments.map(\.deviations)))
    }

    func moments(_ network: Network, _ layer: Int) -> (means: [Double], deviations: [Double]) {
      columnMoments(DoubleLayers(network: network).preActivations(inputs, layer: layer))
    }
  }

  // MARK: - REPAIR

  @Test(arguments: [Repair.Target.meansAndDeviations, .deviations])
  func `a merge of equal members needs no repair`(target: Repair.Target) throws {
    let problem = try Problem()
    let members = Array(repeating: problem.members[0], count: 3)
    let repaired = try Repair(target).merge(members, with: problem.resources).network
    #expect(largestDifference(repaired.parameters, members[0].parameters) < 1e-5)
  }

  @Test func `after repair every hidden unit has the members' mean and deviation`() throws {
    let problem = try Problem()
    let merge = try MergeState(problem.members)
    var repaired = merge
    try Repair(.meansAndDeviations).apply(to: &repaired, with: problem.resources)
    for layer in 0..<2 {
      let goal = problem.goal(layer, of: problem.members)
      let (before, after) = (
        problem.moments(merge.network, layer), problem.moments(repaired.network, layer)
      )
      #expect(largestDifference(before.deviations, goal.deviations) > 0.1)
      #expect(largestDifference(after.deviations, goal.deviations) < 1e-4)
      #expect(largestDifference(after.means, goal.means) < 1e-4)
    }
    let last = merge.graph.layers[2]
    #expect(repaired.network.weights(last) == merge.network.weights(last))
    #expect(repaired.network.biases(last) == merge.network.biases(last))
  }

  @Test func `repair looks at the members as they are lined up`() throws {
    let problem = try Problem()
    let shuffled = zip(problem.members, 0...).map { member, seed in
      member.permuted(
        by: member.graph.symmetry.groups.map(\.count).map {
          var random = RandomStream(seed: UInt64(seed), "shuffle")
          return Permutation(random.permutation(of: $0))
        })
    }
    var merge = try MergeState(shuffled)
    try WeightMatching().apply(to: &merge, with: MergeResources())
    let before = merge
    try Repair(.meansAndDeviations).apply(to: &merge, with: problem.resources)
    let goal = problem.goal(1, of: before.alignedMembers)
    #expect(largestDifference(problem.moments(merge.network, 1).deviations, goal.deviations) < 1e-4)
    #expect(merge.alignment.permutations == before.alignment.permutations && merge.isAligned)
  }

  @Test func `rescale leaves means as they are`() throws {
    let problem = try Problem()
    let merge = try MergeState(problem.members)
    var rescaled = merge
    try Repair(.deviations).apply(to: &rescaled, with: problem.resources)
    let (before, after) = (
      problem.moments(merge.network, 0), problem.moments(rescaled.network, 0)
    )
    #expect(largestDifference(before.means, after.means) < 1e-5)
    for layer in 0..<2 {
      let goal = problem.goal(layer, of: problem.members)
      let deviations = problem.moments(rescaled.network, layer).deviations
      #expect(largestDifference(deviations, goal.deviations) < 1e-4)
    }
    let second = problem.moments(rescaled.network, 1).means
    #expect(largestDifference(second, problem.goal(1, of: problem.members).means) > 0.01)
  }

  @Test func `with one hidden layer repair and rescale are the same`() throws {
    let problem = try Problem("8-14-5")
    let (a, b) = (
      try Repair(.meansAndDeviations).merge(problem.members, with: problem.resources).network,
      try Repair(.deviations).merge(problem.members, with: problem.resources).network
    )
    #expect(largestDifference(a.parameters, b.parameters) < 1e-5)
  }

  @Test func `dead units are not scaled`() throws {
    let problem = try Problem()
    let layer = problem.members[0].graph.layers[0]
    let row = layer.weights.prefix(layer.inputs)
    // Unit 0 is dead in all members; unit 1 of the merged network is, where two members cancel out.
    var members = Array(problem.members.prefix(2))
    for number in members.indices {
      for place in row {
        members[number].parameters[place] = 0
        members[number].parameters[place + layer.inputs] = number == 0 ? 1 : -1
      }
    }
    let merge = try MergeState(members)
    let repaired = try Repair(.meansAndDeviations).merge(members, with: problem.resources).network
    #expect(repaired.isFinite)
    for place in layer.weights.prefix(2 * layer.inputs) {
      #expect(repaired.parameters[place] == merge.network.parameters[place])
    }
    let goal = problem.goal(0, of: members)
    #expect(largestDifference(problem.moments(repaired, 0).means, goal.means) < 1e-4)
  }

  // MARK: - Least squares

  @Test func `refitting the head of a merge of one member reproduces its logits`() throws {
    let problem = try Problem(count: 1)
    let member = problem.members[0]
    var merge = try MergeState([member])
    merge.replaceNetwork(by: scrambled(member, layers: 2...))
    let start = merge.network
    try LeastSquares(.lastLayer).apply(to: &merge, with: problem.resources)
    let expected = logits(member, problem.inputs, rows: 1500)
    let scale = expected.reduce(0) { max($0, abs($1)) }
    #expect(
      largestDifference(logits(merge.network, problem.inputs, rows: 1500), expected) < 1e-3 * scale)
    #expect(
      largestDifference(logits(start, problem.inputs, rows: 1500), expected) > 0.1 * scale)
    let head = member.graph.layers[2]
    #expect(merge.network.parameters[..<head.offset] == member.parameters[..<head.offset])
  }

  @Test func `least squares recovers every layer above the first`() throws {
    let problem = try Problem(count: 1)
    let member = problem.members[0]
    var merge = try MergeState([member])
    merge.replaceNetwork(by: scrambled(member, layers: 1...))
    // Large activations, beside which the ridge is small.
    let inputs = problem.inputs.map { 100 * $0 }
    try LeastSquares(.allButFirst).apply(
      to: &merge, with: MergeResources(samples: SamplesInMemory(inputs, features: 8)))
    #expect(largestDifference(merge.network.parameters, member.parameters) < 2e-3)
  }

  @Test func `with one hidden layer least squares is refitting the head`() throws {
    let problem = try Problem("8-14-5")
    let (a, b) = (
      try LeastSquares(.lastLayer).merge(problem.members, with: problem.resources).network,
      try LeastSquares(.allButFirst).merge(problem.members, with: problem.resources).network
    )
    #expect(a == b)
  }

  @Test func `least squares brings a merge's logits nearer to the members' mean`() throws {
    let problem = try Problem()
    let goal = mean(of: problem.members.map { logits($0, problem.inputs, rows: 1500) })
    func distance(_ network: Network) -> Double {
      zip(logits(network, problem.inputs, rows: 1500), goal).reduce(0) {
        $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1))
      }
    }
    let merge = try MergeState(problem.members)
    let head = try LeastSquares(.lastLayer).merge(problem.members, with: problem.resources).network
    let all = try LeastSquares(.allButFirst).merge(problem.members, with: problem.resources).network
    #expect(distance(head) < distance(merge.network) / 2)
    #expect(distance(all) < distance(head))
  }

  // MARK: - Refusals

  @Test(arguments: [
    "activation-matching", "weight-activation-matching", "repair", "rescale", "refit-head",
    "least-squares",
  ])
  func `without data it is an error that says so`(name: String) throws {
    let problem = try Problem()
    let method = try #require(MethodCatalog.standard[name])
    #expect(method.needs.data)
    let step = method.step()
    let empty = MergeResources(samples: SamplesInMemory([], features: 8))
    for resources in [MergeResources(), empty] {
      let error = #expect(throws: MergeError.self) {
        try step.merge(problem.members, with: resources)
      }
      #expect(error?.description == "\(name) needs training data, and there is none")
    }
  }

  @Test func `activations without bounds are an error, not a network of no numbers`() throws {
    let problem = try Problem()
    var member = problem.members[0]
    for place in member.parameters.indices { member.parameters[place] *= 1e37 }
    let members = [member, problem.members[1]]
    for step in [Repair(.meansAndDeviations), LeastSquares(.lastLayer)] as [any MergeStep] {
      #expect(throws: MergeError.self) { try step.merge(members, with: problem.resources) }
    }
  }

  /// The network with other parameters in some layers.
  private func scrambled(_ network: Network, layers: PartialRangeFrom<Int>) -> Network {
    let start = network.graph.layers[layers.lowerBound].offset
    var result = randomNetwork(network.graph, seed: 77)
    result.parameters.replaceSubrange(..<start, with: network.parameters[..<start])
    return result
  }
}
