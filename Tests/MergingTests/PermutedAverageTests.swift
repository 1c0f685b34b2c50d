import Networks
import TestSupport
import Testing

@testable import Merging

/// Averages of members whose hidden units are mixed by matrices.
@Suite struct PermutedAverageTests {
  @Test(arguments: ["6-4", "6-7-4", "9-8-7-6-5"], [1, 2, 3, 4])
  func `merging equal members by identities is the identity`(text: String, count: Int) throws {
    let architecture = try #require(Architecture(text))
    let member = randomNetwork(architecture, seed: 1)
    let members = Array(repeating: member, count: count)
    let identities = identities(architecture, members: count)
    let merged = merge(members, identities)
    // The members' shares add up to one but for rounding.
    #expect(largestDifference(merged.parameters, member.parameters) < 5e-7)
    #expect(merged.architecture == architecture)
  }

  @Test(arguments: ["6-7-4", "9-8-7-6-5"])
  func `merging by identities is the mean`(text: String) throws {
    let architecture = try #require(Architecture(text))
    let members = (0..<3).map { randomNetwork(architecture, seed: $0) }
    let merged = merge(members, identities(architecture, members: 3))
    let mean = mean(of: members.map(\.parameters))
    #expect(largestDifference(merged.parameters, mean) < 5e-7)
  }

  @Test(arguments: ["6-7-4", "9-8-7-6-5", "5-300-260-3"])
  func `permuted copies are merged back by the inverse permutations`(text: String) throws {
    let architecture = try #require(Architecture(text))
    let original = randomNetwork(architecture, seed: 1)
    let permutations = (1..<4).map { member in
      architecture.hiddenWidths.enumerated().map { layer, width in
        var random = RandomStream(seed: 1, "permutation", member, layer)
        return Permutation(random.permutation(of: width))
      }
    }
    let members = [original] + permutations.map(original.permuted)
    let merged = merge(members, permutations.map { $0.map(\.inverse.matrix) })
    #expect(largestDifference(merged.parameters, original.parameters) < 5e-7)
    // Without them, or with the permutations themselves, the mean is another network.
    #expect(
      largestDifference(mean(of: members.map(\.parameters)), original.parameters) > 0.1)
    let wrong = merge(members, permutations.map { $0.map(\.matrix) })
    #expect(largestDifference(wrong.parameters, original.parameters) > 0.1)
  }

  @Test func `a second merge forgets the first`() throws {
    let architecture = try #require(Architecture("5-4-3"))
    let members = (0..<2).map { randomNetwork(architecture, seed: $0) }
    var average = PermutedAverage(members, architecture: architecture, parallelism: .whole)
    average.merge([[Permutation([3, 2, 1, 0]).matrix]])
    average.merge([[.identity(4)]])
    #expect(average.network == merge(members, [[.identity(4)]]))
  }

  @Test func `the merged network and its loss are PyTorch's`() throws {
    let fixture = try PermAVGFixture()
    var average = PermutedAverage(
      fixture.members, architecture: fixture.architecture, parallelism: .tiled(threads: 2))
    average.merge(
      try fixture.matrices("P."))
    let expected = try fixture.architecture.tensors.flatMap {
      try fixture.fixture.doubles("merged.\($0.name)")
    }
    #expect(relativeDifference(average.network.parameters, expected) < 1e-6)
    let own = logits(average.network, fixture.batch.inputs, rows: fixture.batch.count)
    #expect(relativeDifference(own, try fixture.fixture.doubles("merged.logits")) < 2e-6)
  }

  private func merge(_ members: [Network], _ permutations: [[Matrix]]) -> Network {
    var average = PermutedAverage(
      members, architecture: members[0].architecture, parallelism: .tiled(threads: 1))
    average.merge(permutations)
    return average.network
  }

  private func identities(_ architecture: Architecture, members: Int) -> [[Matrix]] {
    Array(repeating: architecture.hiddenWidths.map(Matrix.identity), count: members - 1)
  }
}
