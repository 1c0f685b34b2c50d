import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

/// Matching hidden units by how they respond to training samples.
@Suite struct ActivationMatchingTests {
  /// A network, one unit of whose every hidden layer is dead, and samples.
  private struct Problem {
    let original: Network
    let inputs = normals(1300 * 8, seed: 4)
    var resources: MergeResources { MergeResources(samples: SamplesInMemory(inputs, features: 8)) }

    init() throws {
      var network = randomNetwork(try #require(Graph("8-14-11-5")), seed: 3)
      for layer in network.graph.layers.dropLast() {
        for place in layer.weights.prefix(3 * layer.inputs).suffix(layer.inputs) {
          network.parameters[place] = 0
        }
        network.parameters[layer.biases.lowerBound + 2] = -1
      }
      original = network
    }

    /// Random permutations of each hidden layer.
    func shuffle(_ seed: Int) -> [Permutation] {
      var random = RandomStream(seed: UInt64(seed), "shuffle")
      return original.graph.symmetry.groups.map(\.count).map {
        Permutation(random.permutation(of: $0))
      }
    }
  }

  @Test(arguments: [ActivationMatching.Evidence.activations, .weightsAndActivations])
  func `permuted copies are brought back exactly, dead units included`(
    evidence: ActivationMatching.Evidence
  ) throws {
    let problem = try Problem()
    let shuffles = (0..<4).map(problem.shuffle)
    let members = [problem.original] + shuffles.map { problem.original.permuted(by: $0) }
    let merge = try ActivationMatching(evidence).merge(members, with: problem.resources)
    #expect(merge.isAligned)
    #expect(merge.alignment.permutations[0] == problem.shuffle(0).map { .identity($0.count) })
    #expect(Array(merge.alignment.permutations.dropFirst()) == shuffles.map { $0.map(\.inverse) })
    #expect(merge.alignedMembers.allSatisfy { $0 == problem.original })
  }

  @Test(arguments: [ActivationMatching.Evidence.activations, .weightsAndActivations])
  func `matching starts from how the members are lined up`(
    evidence: ActivationMatching.Evidence
  ) throws {
    let problem = try Problem()
    let members = (0..<3).map { problem.original.permuted(by: problem.shuffle($0)) }
    var merge = try MergeState(members)
    let start = (10..<13).map(problem.shuffle)
    merge.align(by: Alignment(start))
    try ActivationMatching(evidence).apply(to: &merge, with: problem.resources)
    #expect(merge.alignment.permutations[0] == start[0])
    #expect(merge.alignedMembers.allSatisfy { $0 == merge.alignedMembers[0] })
  }

  @Test func `activations tell apart what shared initial weights hide`() throws {
    // Half of the inputs are always 0, and their weights, which learning leaves as they were, are the same and large.
    let graph = try #require(Graph("16-14-5"))
    let layer = graph.layers[0]
    var original = randomNetwork(graph, seed: 3)
    let permutation = Permutation((0..<14).map { ($0 + 5) % 14 })
    var copy = original.permuted(by: [permutation])
    for unit in 0..<14 {
      for input in 8..<16 {
        let place = layer.weights.lowerBound + unit * 16 + input
        original.parameters[place] *= 50
        copy.parameters[place] = original.parameters[place]
      }
    }
    let samples = normals(1300 * 16, seed: 1).enumerated().map { $0 % 16 < 8 ? $1 : 0 }
    let resources = MergeResources(samples: SamplesInMemory(samples, features: 16))
    let byWeights = try WeightMatching().merge([original, copy], with: resources)
    let byActivations = try ActivationMatching(.activations).merge(
      [original, copy], with: resources)
    #expect(byWeights.alignment.permutations[1] == [.identity(14)])
    #expect(byActivations.alignment.permutations[1] == [permutation.inverse])
  }

  @Test(arguments: 0..<5)
  func `weights and activations together reach the most of their sum`(seed: Int) throws {
    let graph = try #require(Graph("8-14-5"))
    let members = [2 * seed, 2 * seed + 1].map { randomNetwork(graph, seed: $0) }
    let inputs = normals(700 * 8, seed: seed)
    let h = members.map { DoubleLayers(network: $0).activations(inputs, layer: 0) }
    func norm(_ x: [Float]) -> Double { x.reduce(0) { $0 + Double($1 * $1) }.squareRoot() }
    func value(_ permutation: Permutation) -> Double {
      let permuted = members[1].permuted(by: [permutation]).parameters
      let product = zip(members[0].parameters, permuted).reduce(0) { $0 + Double($1.0 * $1.1) }
      let correlations = permutation.indices.enumerated().map { i, j in
        correlation(h[0].map { $0[i] }, h[1].map { $0[j] })
      }
      return product / norm(members[0].parameters) / norm(permuted)
        + correlations.reduce(0, +) / 14
    }
    let resources = MergeResources(samples: SamplesInMemory(inputs, features: 8))
    let both = try ActivationMatching(.weightsAndActivations).merge(members, with: resources)
    let byWeights = try WeightMatching().merge(members, with: resources)
    let byActivations = try ActivationMatching(.activations).merge(members, with: resources)
    let best = value(both.alignment.permutations[1][0])
    #expect(best >= value(byWeights.alignment.permutations[1][0]) - 1e-6)
    #expect(best >= value(byActivations.alignment.permutations[1][0]) - 1e-6)
    #expect(both.alignment.permutations != byActivations.alignment.permutations)

    // With one hidden layer the assignment is the best there is: no exchange of two units is better.
    for i in 0..<14 {
      for j in 0..<i {
        var indices = both.alignment.permutations[1][0].indices
        indices.swapAt(i, j)
        #expect(value(Permutation(indices)) <= best + 1e-6)
      }
    }
  }

  @Test(arguments: [ActivationMatching.Evidence.activations, .weightsAndActivations])
  func `permutations are equal for any number of threads, and for members in groups`(
    evidence: ActivationMatching.Evidence
  ) throws {
    // Wide enough that two members are a group.
    let graph = try #require(Graph("8-700-5"))
    let members = (0..<4).map { randomNetwork(graph, seed: $0) }
    let inputs = normals(1200 * 8, seed: 4)
    func permutations(_ threads: Int, of members: [Network]) throws -> [[Permutation]] {
      try ActivationMatching(evidence).merge(
        members,
        with: MergeResources(
          team: ThreadTeam(threads: threads), samples: SamplesInMemory(inputs, features: 8))
      ).alignment.permutations
    }
    let all = try permutations(1, of: members)
    #expect(try permutations(3, of: members) == all)
    #expect(try permutations(1, of: [members[0], members[3]])[1] == all[3])
  }

  @Test func `one member, and networks without hidden layers, are left as they are`() throws {
    let problem = try Problem()
    let one = try ActivationMatching(.activations).merge(
      [problem.original], with: problem.resources)
    #expect(one.network == problem.original)
    let flat = try #require(Graph("8-3"))
    let members = (0..<2).map { randomNetwork(flat, seed: $0) }
    for evidence in [ActivationMatching.Evidence.activations, .weightsAndActivations] {
      let merge = try ActivationMatching(evidence).merge(members, with: problem.resources)
      #expect(merge.network == (try MergeState(members)).network)
    }
  }
}

/// Pearson's correlation.
private func correlation(_ x: [Double], _ y: [Double]) -> Double {
  let (mx, my) = (
    x.reduce(0, +) / Double(x.count), y.reduce(0, +) / Double(y.count)
  )
  let covariance = zip(x, y).reduce(0) { $0 + ($1.0 - mx) * ($1.1 - my) }
  let variances =
    x.reduce(0) { $0 + ($1 - mx) * ($1 - mx) } * y.reduce(0) { $0 + ($1 - my) * ($1 - my) }
  return variances > 0 ? covariance / variances.squareRoot() : 0
}
