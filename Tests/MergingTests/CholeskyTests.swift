import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

/// Linear equations with a positive definite matrix.
@Suite struct CholeskyTests {
  /// A = G Gᵀ / n + I/10, some X, and B = A X.
  private struct Problem {
    let n: Int
    let a: [Double]
    let x: [Double]
    let b: [Double]

    init(_ n: Int, columns: Int) {
      let g = normals(n * n, seed: n).map(Double.init)
      let x = normals(n * columns, seed: n, "x").map(Double.init)
      var a = [Double](repeating: 0, count: n * n)
      var b = [Double](repeating: 0, count: n * columns)
      for i in 0..<n {
        for j in 0..<n {
          var sum = i == j ? 0.1 : 0
          for k in 0..<n { sum += g[i * n + k] * g[j * n + k] / Double(n) }
          a[i * n + j] = sum
          for c in 0..<columns { b[i * columns + c] += sum * x[j * columns + c] }
        }
      }
      (self.n, self.a, self.x, self.b) = (n, a, x, b)
    }
  }

  @Test(arguments: [1, 2, 15, 16, 17, 33, 100, 300])
  func `equations made from a known solution give it back`(n: Int) throws {
    let problem = Problem(n, columns: 3)
    let solution = try solvePositiveDefinite(problem.a, n, problem.b, columns: 3)
    #expect(largestDifference(solution, problem.x) < 1e-10)
  }

  @Test(arguments: [1, 127, 128, 129, 300])
  func `by blocks the factor and the solution are the same`(n: Int) throws {
    let problem = Problem(n, columns: 3)
    let expected = try choleskyFactor(problem.a, n)
    var lower = problem.a
    #expect(factorizeInBlocks(&lower, n) == nil)
    #expect(largestDifference(lower, expected) < 1e-12)
    var x = problem.b
    solveTriangles(lower, n, &x, columns: 3)
    #expect(largestDifference(x, problem.x) < 1e-10)
    // Of the last block.
    var broken = problem.a
    broken[n * n - 1] = -1
    #expect(factorizeInBlocks(&broken, n) == n - 1)
  }

  @Test func `only the lower triangle is read`() throws {
    let solution = try solvePositiveDefinite([4, 7, 2, 3], 2, [10, 8], columns: 1)
    #expect(largestDifference(solution, [1.75, 1.5]) < 1e-14)
  }

  @Test func `a matrix that is not positive definite is refused`() {
    #expect(throws: MergeError.self, "an eigenvalue is below zero") {
      try solvePositiveDefinite([1, 2, 2, 1], 2, [1, 1], columns: 1)
    }
    #expect(throws: MergeError.self, "singular") {
      try solvePositiveDefinite([1, 1, 1, 1], 2, [1, 2], columns: 1)
    }
    #expect(throws: MergeError.self, "not a number") {
      try solvePositiveDefinite([1, .nan, .nan, 1], 2, [1, 1], columns: 1)
    }
    #expect(throws: MergeError.self, "a right-hand side that is not a number") {
      try solvePositiveDefinite([1, 0, 0, 1], 2, [1, .nan], columns: 1)
    }
  }
}
