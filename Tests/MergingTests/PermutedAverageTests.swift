import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

/// Averages of members whose hidden units are mixed by matrices.
@Suite struct PermutedAverageTests {
  @Test(arguments: ["6-4", "6-7-4", "9-8-7-6-5", "cnn:2x8x8-4"] + TestGraphs.all, [1, 2, 3, 4])
  func `merging equal members by identities is the identity`(text: String, count: Int) throws {
    let graph = try #require(Graph(text))
    let member = randomNetwork(graph, seed: 1)
    let members = Array(repeating: member, count: count)
    let identities = identities(graph, members: count)
    let merged = try merge(members, identities)
    // The members' shares add up to one but for rounding.
    #expect(largestDifference(merged.parameters, member.parameters) < 5e-7)
    #expect(merged.graph == graph)
  }

  @Test(arguments: ["6-7-4", "9-8-7-6-5", "cnn:2x8x8-4"] + TestGraphs.all)
  func `merging by identities is the mean`(text: String) throws {
    let graph = try #require(Graph(text))
    let members = (0..<3).map { randomNetwork(graph, seed: $0) }
    let merged = try merge(members, identities(graph, members: 3))
    let mean = mean(of: members.map(\.parameters))
    #expect(largestDifference(merged.parameters, mean) < 5e-7)
  }

  @Test(arguments: ["6-7-4", "9-8-7-6-5", "5-300-260-3", "lenet5:2x12x12-4"] + TestGraphs.all)
  func `permuted copies are merged back by the inverse permutations`(text: String) throws {
    let graph = try #require(Graph(text))
    let original = randomNetwork(graph, seed: 1)
    let permutations = (1..<4).map { member in
      graph.symmetry.groups.map(\.count).enumerated().map { layer, width in
        var random = RandomStream(seed: 1, "permutation", member, layer)
        return Permutation(random.permutation(of: width))
      }
    }
    let members = [original] + permutations.map(original.permuted)
    let merged = try merge(members, permutations.map { $0.map(\.inverse.matrix) })
    #expect(largestDifference(merged.parameters, original.parameters) < 5e-7)
    // Without them, or with the permutations themselves, the mean is another network.
    #expect(
      largestDifference(mean(of: members.map(\.parameters)), original.parameters) > 0.1)
    let wrong = try merge(members, permutations.map { $0.map(\.matrix) })
    #expect(largestDifference(wrong.parameters, original.parameters) > 0.1)
  }

  @Test func `a second merge forgets the first`() throws {
    let graph = try #require(Graph("5-4-3"))
    let members = (0..<2).map { randomNetwork(graph, seed: $0) }
    var average = PermutedAverage(members)
    try average.merge([[Permutation([3, 2, 1, 0]).matrix]])
    try average.merge([[.identity(4)]])
    #expect(try average.network == merge(members, [[.identity(4)]]))
  }

  @Test func `the merged network and its loss are PyTorch's`() throws {
    let fixture = try PermAVGFixture()
    var average = PermutedAverage(fixture.members, threads: 2)
    try average.merge(try fixture.matrices("P."))
    let expected = try fixture.graph.tensors.flatMap {
      try fixture.fixture.doubles("merged.\($0.name)")
    }
    #expect(relativeDifference(average.network.parameters, expected) < 1e-6)
    let own = logits(average.network, fixture.batch.inputs, rows: fixture.batch.count)
    #expect(relativeDifference(own, try fixture.fixture.doubles("merged.logits")) < 2e-6)
  }

  private func merge(_ members: [Network], _ permutations: [[Matrix]]) throws -> Network {
    var average = PermutedAverage(members)
    try average.merge(permutations)
    return average.network
  }

  private func identities(_ graph: Graph, members: Int) -> [[Matrix]] {
    Array(repeating: graph.symmetry.groups.map(\.count).map(Matrix.identity), count: members - 1)
  }
}
