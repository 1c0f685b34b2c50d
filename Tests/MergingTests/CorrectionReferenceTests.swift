import Networks
import TestSupport
import Testing

@testable import Merging

/// Matching by activations and the corrections, against NumPy's and SciPy's answers.
@Suite struct CorrectionReferenceTests {
  private let fixture: Fixture
  private let architecture: Architecture
  private let members: [Network]
  private let context: MergeContext

  init() throws {
    let fixture = try Fixture("corrections")
    let architecture = try #require(Architecture("8-12-10-5"))
    members = try (0..<3).map {
      Network(
        architecture, parameters: try fixture.parameters(architecture, prefix: "members.\($0)."))
    }
    context = MergeContext(sums: InMemorySums(try fixture.floats("inputs"), features: 8))
    self.fixture = fixture
    self.architecture = architecture
  }

  @Test func `activation matching finds SciPy's permutations`() throws {
    let merge = try ActivationMatching(.activations).merge(members, in: context)
    for member in 0..<3 {
      for layer in 0..<2 {
        let expected = Permutation(try fixture.integers("permutation.\(member).\(layer)"))
        #expect(merge.permutations[member][layer] == expected)
        #expect((member == 0) == (expected.fixedPoints == expected.count))
      }
    }
    #expect(largestDifference(merge.network, try reference("activation-matching")) < 1e-6)
  }

  @Test(arguments: ["repair", "rescale", "refit-head", "least-squares"])
  func `a corrected network has NumPy's weights`(name: String) throws {
    var merge = try ActivationMatching(.activations).merge(members, in: context)
    let before = merge.network
    let method = try #require(MergingMethod.named(name))
    try method.merger(.standard).apply(to: &merge, in: context)
    let expected = try reference(name)
    #expect(largestDifference(merge.network, expected) < 1e-4)
    #expect(largestDifference(before, expected) > 0.1)
  }

  private func reference(_ name: String) throws -> [Double] {
    try architecture.tensors.flatMap { try fixture.doubles("\(name).\($0.name)") }
  }

  private func largestDifference(_ network: Network, _ expected: [Double]) -> Double {
    MergingTests.largestDifference(network.parameters.map(Double.init), expected)
  }
}
