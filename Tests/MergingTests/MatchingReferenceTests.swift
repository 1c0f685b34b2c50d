import Networks
import TestSupport
import Testing

@testable import Merging

/// Matching, against NumPy and SciPy's.
@Suite struct MatchingReferenceTests {
  static let cases = [("one", "10-16-5"), ("three", "10-18-16-14-5")]

  @Test(arguments: ["weight-matching", "mergemany", "c2m3"], cases)
  func `permutations and objectives are NumPy's where one answer is right`(
    method: String, case name: (String, String)
  ) throws {
    let (members, fixture) = try members(name)
    let expected = try permutations(name.0, "permutations", fixture, members)
    let merge = try run(method, members)
    for (found, expected) in zip(merge.alignment.permutations, expected) {
      for (layer, permutation) in expected.enumerated() {
        // In the first member's order, as NumPy's are.
        #expect(merge.alignment.permutations[0][layer].inverse.after(found[layer]) == permutation)
      }
    }
    let objective = try fixture.doubles("\(name.0).objective")[0]
    let own = matchingObjective(merge.alignedMembers)
    #expect(abs(own - objective) < 1e-5 * objective)

    let pair = try run(method, Array(members.prefix(2)))
    let pairObjective = try fixture.doubles("\(name.0).pair")[0]
    #expect(abs(matchingObjective(pair.alignedMembers) - pairObjective) < 1e-5 * pairObjective)
  }

  @Test(arguments: cases)
  func `the objective under any permutations is NumPy's`(name: (String, String)) throws {
    let (members, fixture) = try members(name)
    let anyhow = try permutations(name.0, "random", fixture, members)
    let own = matchingObjective(zip(members, anyhow).map { $0.permuted(by: $1) })
    let expected = try fixture.doubles("\(name.0).random")[0]
    // Of the order of the largest objective, as its terms are.
    let size = try fixture.doubles("\(name.0).objective")[0]
    #expect(abs(own - expected) < 1e-5 * size)
  }

  private func members(_ name: (String, String)) throws -> ([Network], Fixture) {
    let fixture = try Fixture("matching")
    let graph = try #require(Graph(name.1))
    let members = try (0..<4).map {
      Network(
        graph,
        parameters: try fixture.parameters(graph, prefix: "\(name.0).members.\($0)."))
    }
    return (members, fixture)
  }

  private func permutations(
    _ name: String, _ kind: String, _ fixture: Fixture, _ members: [Network]
  ) throws -> [[Permutation]] {
    try members.indices.map { member in
      try members[member].graph.symmetry.groups.indices.map { layer in
        Permutation(try fixture.integers("\(name).\(kind).\(member).\(layer)"))
      }
    }
  }
}
