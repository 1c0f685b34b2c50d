import Networks
import TestSupport
import Testing

@testable import Merging

/// Matching hidden units by how they respond to training samples.
@Suite struct ActivationMatchingTests {
  /// A network, one unit of whose every hidden layer is dead, and samples.
  private struct Problem {
    let original: Network
    let inputs = normals(1300 * 8, seed: 4)
    var context: MergeContext { MergeContext(sums: InMemorySums(inputs, features: 8)) }

    init() throws {
      var network = randomNetwork(try #require(Architecture("8-14-11-5")), seed: 3)
      for layer in network.architecture.layers.dropLast() {
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
      return original.architecture.hiddenWidths.map { Permutation(random.permutation(of: $0)) }
    }
  }

  @Test(arguments: [ActivationMatching.Evidence.activations, .weightsAndActivations])
  func `permuted copies are brought back exactly, dead units included`(
    evidence: ActivationMatching.Evidence
  ) throws {
    let problem = try Problem()
    let shuffles = (0..<4).map(problem.shuffle)
    let members = [problem.original] + shuffles.map { problem.original.permuted(by: $0) }
    let merge = try ActivationMatching(evidence).merge(members, in: problem.context)
    #expect(merge.isAligned)
    #expect(merge.permutations[0] == problem.shuffle(0).map { .identity($0.count) })
    #expect(Array(merge.permutations.dropFirst()) == shuffles.map { $0.map(\.inverse) })
    #expect(merge.alignedMembers.allSatisfy { $0 == problem.original })
  }

  @Test(arguments: [ActivationMatching.Evidence.activations, .weightsAndActivations])
  func `matching starts from how the members are lined up`(
    evidence: ActivationMatching.Evidence
  ) throws {
    let problem = try Problem()
    let members = (0..<3).map { problem.original.permuted(by: problem.shuffle($0)) }
    var merge = try Merge(members)
    let start = (10..<13).map(problem.shuffle)
    merge.align(by: start)
    try ActivationMatching(evidence).apply(to: &merge, in: problem.context)
    #expect(merge.permutations[0] == start[0])
    #expect(merge.alignedMembers.allSatisfy { $0 == merge.alignedMembers[0] })
  }

  @Test func `activations tell apart what shared initial weights hide`() throws {
    // Half of the inputs are always 0, and their weights, which learning leaves as they were, are the same and large.
    let architecture = try #require(Architecture("16-14-5"))
    let layer = architecture.layers[0]
    var original = randomNetwork(architecture, seed: 3)
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
    let context = MergeContext(sums: InMemorySums(samples, features: 16))
    let byWeights = try WeightMatching().merge([original, copy], in: context)
    let byActivations = try ActivationMatching(.activations).merge([original, copy], in: context)
    #expect(byWeights.permutations[1] == [.identity(14)])
    #expect(byActivations.permutations[1] == [permutation.inverse])
  }

  @Test(arguments: 0..<5)
  func `weights and activations together reach the most of their sum`(seed: Int) throws {
    let architecture = try #require(Architecture("8-14-5"))
    let members = [2 * seed, 2 * seed + 1].map { randomNetwork(architecture, seed: $0) }
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
    let context = MergeContext(sums: InMemorySums(inputs, features: 8))
    let both = try ActivationMatching(.weightsAndActivations).merge(members, in: context)
    let byWeights = try WeightMatching().merge(members, in: context)
    let byActivations = try ActivationMatching(.activations).merge(members, in: context)
    let best = value(both.permutations[1][0])
    #expect(best >= value(byWeights.permutations[1][0]) - 1e-6)
    #expect(best >= value(byActivations.permutations[1][0]) - 1e-6)
    #expect(both.permutations != byActivations.permutations)

    // With one hidden layer the assignment is the best there is: no exchange of two units is better.
    for i in 0..<14 {
      for j in 0..<i {
        var indices = both.permutations[1][0].indices
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
    let architecture = try #require(Architecture("8-700-5"))
    let members = (0..<4).map { randomNetwork(architecture, seed: $0) }
    let inputs = normals(1200 * 8, seed: 4)
    func permutations(_ threads: Int, of members: [Network]) throws -> [[Permutation]] {
      try ActivationMatching(evidence).merge(
        members,
        in: MergeContext(
          sums: InMemorySums(inputs, features: 8, threads: threads), threads: threads)
      ).permutations
    }
    let all = try permutations(1, of: members)
    #expect(try permutations(3, of: members) == all)
    #expect(try permutations(1, of: [members[0], members[3]])[1] == all[3])
  }

  @Test func `one member, and networks without hidden layers, are left as they are`() throws {
    let problem = try Problem()
    let one = try ActivationMatching(.activations).merge([problem.original], in: problem.context)
    #expect(one.network == problem.original)
    let flat = try #require(Architecture("8-3"))
    let members = (0..<2).map { randomNetwork(flat, seed: $0) }
    for evidence in [ActivationMatching.Evidence.activations, .weightsAndActivations] {
      let merge = try ActivationMatching(evidence).merge(members, in: problem.context)
      #expect(merge.network == (try Merge(members)).network)
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
