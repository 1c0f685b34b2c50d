import Networks
import TestSupport
import Testing

@testable import Merging

/// Matching by activations and the corrections, against NumPy's and SciPy's answers.
@Suite struct CorrectionReferenceTests {
  private let fixture: Fixture
  private let graph: Graph
  private let members: [Network]
  private let resources: MergeResources

  init() throws {
    let fixture = try Fixture("corrections")
    let graph = try #require(Graph("8-12-10-5"))
    members = try (0..<3).map {
      Network(
        graph, parameters: try fixture.parameters(graph, prefix: "members.\($0)."))
    }
    resources = MergeResources(samples: SamplesInMemory(try fixture.floats("inputs"), features: 8))
    self.fixture = fixture
    self.graph = graph
  }

  @Test func `activation matching finds SciPy's permutations`() throws {
    let merge = try ActivationMatching(.activations).merge(members, with: resources)
    for member in 0..<3 {
      for layer in 0..<2 {
        let expected = Permutation(try fixture.integers("permutation.\(member).\(layer)"))
        #expect(merge.alignment.permutations[member][layer] == expected)
        #expect((member == 0) == (expected.fixedPoints == expected.count))
      }
    }
    #expect(largestDifference(merge.network, try reference("activation-matching")) < 1e-6)
  }

  @Test(arguments: ["repair", "rescale", "refit-head", "least-squares"])
  func `a corrected network has NumPy's weights`(name: String) throws {
    var merge = try ActivationMatching(.activations).merge(members, with: resources)
    let before = merge.network
    let method = try #require(MethodCatalog.standard[name])
    try method.step().apply(to: &merge, with: resources)
    let expected = try reference(name)
    #expect(largestDifference(merge.network, expected) < 1e-4)
    #expect(largestDifference(before, expected) > 0.1)
  }

  private func reference(_ name: String) throws -> [Double] {
    try graph.tensors.flatMap { try fixture.doubles("\(name).\($0.name)") }
  }

  private func largestDifference(_ network: Network, _ expected: [Double]) -> Double {
    MergingTests.largestDifference(network.parameters.map(Double.init), expected)
  }
}
