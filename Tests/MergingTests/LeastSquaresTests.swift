import Networks
import TestSupport
import Testing

@testable import Merging

/// Ridge regression by Cholesky's factorisation.
@Suite struct LeastSquaresTests {
  @Test func `solutions are NumPy's`() throws {
    let fixture = try Fixture("selection")
    let solution = try ridgeSolve(
      gram: try fixture.doubles("ridge.gram"), right: try fixture.doubles("ridge.right"), n: 30,
      columns: 7, ridge: try fixture.doubles("ridge.lambda")[0])
    let expected = try fixture.doubles("ridge.solution")
    #expect(solution.count == expected.count)
    for (own, other) in zip(solution, expected) { #expect(abs(own - other) < 1e-10) }
  }

  @Test(arguments: [1, 2, 17, 120])
  func `the solution times the matrix is the right side`(n: Int) throws {
    let x = normals(2 * n * n, seed: n).map(Double.init)
    var gram = [Double](repeating: 0, count: n * n)
    for i in 0..<n {
      for j in 0..<n {
        for sample in 0..<2 * n { gram[i * n + j] += x[sample * n + i] * x[sample * n + j] }
      }
    }
    let right = normals(3 * n, seed: n, "right").map(Double.init)
    let solution = try ridgeSolve(gram: gram, right: right, n: n, columns: 3, ridge: 0.5)
    for i in 0..<n {
      for column in 0..<3 {
        var product = 0.5 * solution[i * 3 + column]
        for j in 0..<n { product += gram[i * n + j] * solution[j * 3 + column] }
        #expect(abs(product - right[i * 3 + column]) < 1e-9)
      }
    }
  }

  @Test func `only the lower triangle is read`() throws {
    let whole = try ridgeSolve(
      gram: [4, 1, 1, 3], right: [1, 2], n: 2, columns: 1, ridge: 0)
    let half = try ridgeSolve(gram: [4, -9, 1, 3], right: [1, 2], n: 2, columns: 1, ridge: 0)
    #expect(whole == half)
  }

  @Test(arguments: [[1, 1, 1, 1], [0, 0, 0, 0], [-1, 0, 0, 1], [.nan, 0, 0, 1]])
  func `what has no single solution is an error`(gram: [Double]) throws {
    let error = #expect(throws: MergeError.self) {
      try ridgeSolve(gram: gram, right: [1, 2], n: 2, columns: 1, ridge: 0)
    }
    #expect(
      error?.description.hasPrefix("least squares for 2 unknowns has no single solution") == true)
  }

  @Test func `a right side that is not finite is an error`() {
    let error = #expect(throws: MergeError.self) {
      try ridgeSolve(gram: [2, 0, 0, 1], right: [1, .infinity], n: 2, columns: 1, ridge: 0)
    }
    #expect(error?.description.hasPrefix("least squares for 2 unknowns left a residual") == true)
  }

  @Test func `a layer that made the targets is found again, bias and all`() throws {
    let (rows, features, targets) = (200, 6, 3)
    let layer = normals(targets * (features + 1), seed: 1, "layer")
    var fit = LinearFit(features: features, targets: targets)
    for batch in 0..<4 {
      // Far from the origin, so that the mean matters.
      let h = Matrix(
        rows: rows, columns: features,
        elements: normals(rows * features, seed: batch).map { $0 + 5 })
      var t = Matrix(rows: rows, columns: targets)
      for row in 0..<rows {
        for target in 0..<targets {
          t[row, target] = layer[targets * features + target]
          for feature in 0..<features {
            t[row, target] += layer[target * features + feature] * h[row, feature]
          }
        }
      }
      fit.add(h, t, threads: 1)
    }
    #expect(largestDifference(try fit.parameters(ridge: 0), layer) < 1e-3)
    // A ridge draws the weights, and not the bias, to zero: it becomes the mean of the targets.
    let shrunk = try fit.parameters(ridge: 1e9)
    #expect(shrunk.prefix(targets * features).allSatisfy { abs($0) < 1e-6 })
    #expect(shrunk.suffix(targets).allSatisfy { abs($0) > 0.1 })
  }
}
