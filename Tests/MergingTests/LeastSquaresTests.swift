import TestSupport
import Testing

@testable import Merging

/// Ridge regression by Cholesky's factorisation.
@Suite struct LeastSquaresTests {
  @Test func `solutions are NumPy's`() throws {
    let fixture = try Fixture("selection")
    var gram = try fixture.doubles("ridge.gram")
    let ridge = try fixture.doubles("ridge.lambda")[0]
    for i in 0..<30 { gram[i * 30 + i] += ridge }
    let solution = try solvePositiveDefinite(
      gram, 30, try fixture.doubles("ridge.right"), columns: 7)
    let expected = try fixture.doubles("ridge.solution")
    #expect(solution.count == expected.count)
    for (own, other) in zip(solution, expected) { #expect(abs(own - other) < 1e-10) }
  }
}
