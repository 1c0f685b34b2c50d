import Foundation
import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

/// Doubly stochastic matrices and their gradient.
@Suite struct SinkhornTests {
  @Test(arguments: [1, 2, 5, 33, 128], [Float(0.3), 1])
  func `rows and columns sum to one`(n: Int, temperature: Float) {
    let soft = SoftPermutation(
      logits: randomLogits(n), settings: settings(temperature: temperature, tolerance: 1e-5))
    #expect(soft.matrix.elements.allSatisfy { $0 >= 0 })
    let (rows, columns) = sums(soft.matrix)
    // The worst row is what the marginal error says; columns are right to rounding.
    #expect(rows.allSatisfy { abs($0 - 1) < 1.2e-5 })
    #expect(columns.allSatisfy { abs($0 - 1) < 2e-6 })
    #expect(soft.marginalError <= 1e-5)
    #expect(soft.count == n)
  }

  @Test(arguments: ["small", "medium", "identity", "sharp"])
  func `matrices and gradients are PyTorch's`(name: String) throws {
    let fixture = try Fixture("sinkhorn")
    let elements = try fixture.floats("\(name).X")
    let n = Int(Double(elements.count).squareRoot())
    let soft = SoftPermutation(
      logits: Matrix(rows: n, columns: n, elements: elements),
      settings: SinkhornSettings(
        temperature: Float(try fixture.doubles("\(name).temperature")[0]),
        epsilon: Float(try fixture.doubles("\(name).epsilon")[0]), iterations: 100_000,
        tolerance: 1e-6))
    // PyTorch's own 2000 iterations have not converged on the sharp case.
    let answer = name == "sharp" ? "sharp.limit" : name
    let matrix = try fixture.doubles("\(answer).P")
    #expect(relativeDifference(soft.matrix.elements, matrix) < 1e-5)
    let weights = Matrix(rows: n, columns: n, elements: try fixture.floats("\(name).G"))
    let gradient = try fixture.doubles("\(answer).gradient")
    let own = soft.logitGradient(of: weights, steps: 1000)
    // The marginals are right to 1e-6, which the solve magnifies where P is almost a permutation.
    let tolerance = ["small": 5e-5, "sharp": 3e-3][name] ?? 5e-6
    #expect(relativeDifference(own.elements, gradient) < tolerance)
  }

  @Test(arguments: 0..<6)
  func `the gradient agrees with central differences and with the unrolled one`(seed: Int) {
    let n = 2 + seed
    let logits = randomLogits(n, seed: seed)
    let temperature: Float = seed % 2 == 0 ? 1 : 0.6
    let soft = SoftPermutation(
      logits: logits, settings: settings(temperature: temperature, tolerance: 1e-7))
    let weights = Matrix(rows: n, columns: n, elements: normals(n * n, seed: seed, "G"))
    let own = soft.logitGradient(of: weights).elements

    let reference = DoubleSinkhorn(
      n: n, temperature: Double(temperature), epsilon: Double(Float(1e-3)))
    let x = logits.elements.map(Double.init)
    let g = weights.elements.map(Double.init)
    #expect(relativeDifference(soft.matrix.elements, reference.matrix(x)) < 1e-5)
    let differences = x.indices.map { i in
      let values = [1e-4, -1e-4].map { step in
        var moved = x
        moved[i] += step
        return zip(reference.matrix(moved), g).reduce(0) { $0 + $1.0 * $1.1 }
      }
      return (values[0] - values[1]) / 2e-4
    }
    let unrolled = reference.unrolledGradient(x, g)
    #expect(relativeDifference(unrolled.map(Float.init), differences) < 1e-6)
    #expect(relativeDifference(own, unrolled) < 2e-5)
  }

  @Test func `what is added to whole rows and columns of G does not matter`() {
    // Rows and columns of P sum to one whatever X is, so such a G has no gradient.
    let n = 12
    let soft = SoftPermutation(logits: randomLogits(n), settings: settings())
    let weights = Matrix(rows: n, columns: n, elements: normals(n * n, seed: 1))
    var shifted = weights
    for i in 0..<n {
      for j in 0..<n { shifted[i, j] += Float(i) / 4 - Float(j * j) / 20 }
    }
    let (a, b) = (soft.logitGradient(of: weights), soft.logitGradient(of: shifted))
    #expect(relativeDifference(b.elements, a.elements.map(Double.init)) < 1e-4)
  }

  @Test func `what is added to whole rows and columns of X does not matter`() {
    let n = 10
    let logits = randomLogits(n)
    var shifted = logits
    for i in 0..<n { for j in 0..<n { shifted[i, j] += Float(i) - Float(j) / 2 } }
    let exact = SinkhornSettings(
      temperature: 1, epsilon: 0, iterations: 10_000, tolerance: 1e-6)
    let (a, b) = (
      SoftPermutation(logits: logits, settings: exact),
      SoftPermutation(logits: shifted, settings: exact)
    )
    #expect(largestDifference(a.matrix.elements, b.matrix.elements) < 1e-5)
  }

  @Test func `equal logits give equal entries`() {
    let soft = SoftPermutation(
      logits: Matrix(rows: 8, columns: 8, repeating: 3), settings: settings())
    #expect(soft.matrix.elements.allSatisfy { abs($0 - 1 / 8) < 1e-7 })
  }

  @Test(arguments: [Float(0), 1e-3], 0..<4)
  func `huge logits of a permutation give the permutation`(epsilon: Float, seed: Int) {
    var random = RandomStream(seed: UInt64(seed), "huge")
    let p = Permutation(random.permutation(of: 9))
    let logits = Matrix(
      rows: 9, columns: 9, elements: p.matrix.elements.map { $0 == 1 ? 1e4 : -1e4 })
    let soft = SoftPermutation(
      logits: logits,
      settings: SinkhornSettings(
        temperature: 1, epsilon: epsilon, iterations: 100, tolerance: 1e-5))
    #expect(largestDifference(soft.matrix.elements, p.matrix.elements) < 1e-6)
    let gradient = soft.logitGradient(
      of: Matrix(rows: 9, columns: 9, elements: normals(81, seed: seed)))
    #expect(gradient.elements.allSatisfy { abs($0) < 1e-5 })
  }

  @Test(arguments: [Float(0), 1e-3], 0..<40)
  func `huge logits that favour no permutation do not overflow`(epsilon: Float, seed: Int) {
    let n = 9
    let scale = [Float(1e4), 300, 80, 40][seed % 4]
    let logits = Matrix(
      rows: n, columns: n, elements: normals(n * n, seed: seed).map { $0 > 0 ? scale : -scale })
    let soft = SoftPermutation(
      logits: logits,
      settings: SinkhornSettings(
        temperature: 1, epsilon: epsilon, iterations: 100, tolerance: 1e-5))
    #expect(soft.matrix.elements.allSatisfy { (0...1.001).contains($0) })
    #expect(sums(soft.matrix).columns.allSatisfy { abs($0 - 1) < 1e-5 })
    let gradient = soft.logitGradient(
      of: Matrix(rows: n, columns: n, elements: normals(n * n, seed: seed)))
    #expect(gradient.elements.allSatisfy { $0.isFinite })
  }

  @Test func `a column that no row wants does not overflow`() {
    for low in [Float(-20), -80, -200, -1e4] {
      var logits = Matrix(rows: 6, columns: 6)
      for i in 0..<6 { logits[i, 2] = low }
      for epsilon in [Float(0), 1e-3] {
        let soft = SoftPermutation(
          logits: logits,
          settings: SinkhornSettings(
            temperature: 1, epsilon: epsilon, iterations: 100, tolerance: 1e-5))
        // Every row wants it equally little, so it is shared equally.
        #expect(soft.matrix.elements.allSatisfy { abs($0 - 1 / 6) < 1e-5 }, "\(low), \(epsilon)")
      }
    }
  }

  @Test func `a warm start gives the matrix of a cold one in fewer iterations`() {
    let n = 40
    var warm = SoftPermutation(logits: randomLogits(n), settings: settings(tolerance: 1e-6))
    let noise = normals(n * n, seed: 5)
    for i in 0..<n * n { warm.logits.elements[i] += 1e-3 * noise[i] }
    warm.normalize()
    let cold = SoftPermutation(logits: warm.logits, settings: settings(tolerance: 1e-6))
    #expect(largestDifference(warm.matrix.elements, cold.matrix.elements) < 2e-6)
    #expect(warm.iterationsUsed < cold.iterationsUsed)
    #expect(warm.marginalError <= 1e-6)
  }

  @Test(arguments: [8, 64], [Float(40), 1e4])
  func `a start from far away recovers`(n: Int, strength: Float) {
    // Half of the columns are wanted by no row, so their v grows as far as it can.
    var far = Matrix(rows: n, columns: n, repeating: -strength)
    for i in 0..<n { for j in 0..<n / 2 { far[i, j] = strength } }
    for start in [far, randomLogits(n, strength: strength)] {
      var soft = SoftPermutation(logits: start, settings: settings(tolerance: 1e-5))
      soft.logits = randomLogits(n, seed: 7)
      soft.normalize()
      let cold = SoftPermutation(logits: soft.logits, settings: settings(tolerance: 1e-5))
      #expect(largestDifference(soft.matrix.elements, cold.matrix.elements) < 1e-4)
    }
  }

  @Test(arguments: [0, 1, 3])
  func `no more iterations are taken than allowed`(iterations: Int) {
    let soft = SoftPermutation(
      logits: randomLogits(20),
      settings: SinkhornSettings(
        temperature: 0.2, epsilon: 1e-3, iterations: iterations, tolerance: 0))
    #expect(soft.iterationsUsed == iterations)
    #expect(soft.matrix.elements.allSatisfy { $0.isFinite })
  }

  @Test func `logits that are not square are a precondition failure`() async {
    await #expect(processExitsWith: .failure) {
      _ = SoftPermutation(
        logits: Matrix(rows: 2, columns: 3),
        settings: SinkhornSettings(temperature: 1, epsilon: 0, iterations: 1, tolerance: 0))
    }
  }

  private func settings(
    temperature: Float = 1, tolerance: Float = 1e-6
  ) -> SinkhornSettings {
    SinkhornSettings(
      temperature: temperature, epsilon: 1e-3, iterations: 20_000, tolerance: tolerance)
  }

  /// A permutation's matrix times a strength, with noise.
  private func randomLogits(_ n: Int, seed: Int = 1, strength: Float = 2) -> Matrix {
    var random = RandomStream(seed: UInt64(seed), "logits")
    let p = Permutation(random.permutation(of: n)).matrix
    return Matrix(
      rows: n, columns: n, elements: p.elements.map { strength * $0 + random.normal() })
  }

  private func sums(_ matrix: Matrix) -> (rows: [Float], columns: [Float]) {
    let n = matrix.rows
    return (
      (0..<n).map { i in (0..<n).reduce(0) { $0 + matrix[i, $1] } },
      (0..<n).map { j in (0..<n).reduce(0) { $0 + matrix[$1, j] } }
    )
  }
}

/// ‖a − b‖ / ‖b‖.
func relativeDifference(_ a: [Float], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  let difference = zip(a, b).reduce(0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) }
  let result = (difference / b.reduce(0) { $0 + $1 * $1 }).squareRoot()
  return result.isNaN ? .infinity : result
}
