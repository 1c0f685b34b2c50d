import Tensors
import TestSupport
import Testing

/// Matrix products through BLAS, whole and in tiles.
@Suite struct ProductTests {
  struct Shape: Sendable, CustomTestStringConvertible {
    let m: Int
    let k: Int
    let n: Int

    init(_ m: Int, _ k: Int, _ n: Int) { (self.m, self.k, self.n) = (m, k, n) }

    var testDescription: String { "\(m) × \(k) times \(k) × \(n)" }
  }

  /// On both sides of a tile's 256 × 512.
  static let shapes = [
    Shape(1, 1, 1), Shape(1, 785, 1), Shape(10, 785, 3), Shape(3, 1, 700), Shape(256, 5, 512),
    Shape(257, 40, 513), Shape(513, 33, 1025), Shape(600, 2, 1),
  ]

  @Test func `the kernels fit this processor`() {
    #expect(BLAS.fitsProcessor, "\(BLAS.kernels); \(BLAS.version)")
    #expect(!BLAS.kernels.isEmpty)
  }

  @Test(arguments: shapes, [(false, false), (false, true), (true, false), (true, true)])
  func `a product is the sum of products`(shape: Shape, transposed: (Bool, Bool)) {
    let problem = Problem(shape, transposed.0, transposed.1)
    for parallelism in [Parallelism.whole, .tiled(threads: 1)] {
      // What C held is not read: it is NaN.
      let c = problem.product(into: Float.nan, parallelism: parallelism)
      #expect(problem.excess(of: c) <= 1)
    }
    let c = problem.product(into: 2, scale: -0.5, keep: 3, parallelism: .tiled(threads: 2))
    #expect(problem.excess(of: c, into: 2, scale: -0.5, keep: 3) <= 1)
  }

  @Test(arguments: shapes, [2, 3])
  func `tiled products have the same bits for any number of threads`(shape: Shape, threads: Int) {
    let problem = Problem(shape, true, false)
    let one = problem.product(into: 1, scale: 0.3, keep: 0.7, parallelism: .tiled(threads: 1))
    let several = problem.product(
      into: 1, scale: 0.3, keep: 0.7, parallelism: .tiled(threads: threads))
    #expect(one == several)
  }

  @Test(arguments: shapes, [false, true])
  func `a product with a vector is the one with a matrix of one column`(
    shape: Shape, isTransposed: Bool
  ) {
    let problem = Problem(Shape(shape.m, shape.k, 1), isTransposed, false)
    var y = [Float](repeating: .nan, count: shape.m)
    problem.a.withView {
      multiply(isTransposed ? $0.transposed : $0, problem.b.elements, into: &y)
    }
    #expect(problem.excess(of: Matrix(rows: shape.m, columns: 1, elements: y)) <= 1)
    y = [Float](repeating: 2, count: shape.m)
    problem.a.withView {
      multiply(
        isTransposed ? $0.transposed : $0, problem.b.elements, into: &y, scale: -2, keep: 0.5)
    }
    let c = Matrix(rows: shape.m, columns: 1, elements: y)
    #expect(problem.excess(of: c, into: 2, scale: -2, keep: 0.5) <= 1)
  }

  @Test func `every index is visited once, whatever the threads`() {
    for (count, threads) in [(0, 2), (1, 4), (7, 3), (100, 2)] {
      let seen = SeenIndices(count)
      concurrently(count, threads: threads) { seen.visit($0) }
      #expect(seen.visits == Array(repeating: 1, count: count))
    }
  }

  @Test func `shapes that do not fit are a precondition failure`() async {
    await #expect(processExitsWith: .failure) {
      let a = Matrix(rows: 2, columns: 3)
      var c = Matrix(rows: 2, columns: 2)
      a.withView { a in c.withMutableView { multiply(a, a, into: $0) } }
    }
  }

  @Test(arguments: [false, true])
  func `a view adds its elements to a block`(isTransposed: Bool) {
    let matrix = Matrix(rows: 2, columns: 3, elements: [1, 2, 3, 4, 5, 6])
    var sum: [Float] = [10, 10, 10, 10, 10, 10]
    sum.withUnsafeMutableBufferPointer { sum in
      matrix.withView {
        (isTransposed ? $0.transposed : $0).accumulate(into: sum, scale: 2)
      }
    }
    #expect(sum == (isTransposed ? [12, 18, 14, 20, 16, 22] : [12, 14, 16, 18, 20, 22]))
  }
}

/// Two random matrices, stored as they are or transposed.
private struct Problem {
  let shape: ProductTests.Shape
  let a: Matrix
  let b: Matrix
  let isTransposed: (a: Bool, b: Bool)

  init(_ shape: ProductTests.Shape, _ transposeA: Bool, _ transposeB: Bool) {
    self.shape = shape
    isTransposed = (transposeA, transposeB)
    let (m, k, n) = (shape.m, shape.k, shape.n)
    a = Matrix(
      rows: transposeA ? k : m, columns: transposeA ? m : k,
      elements: normals(m * k, seed: 1))
    b = Matrix(
      rows: transposeB ? n : k, columns: transposeB ? k : n,
      elements: normals(k * n, seed: 2))
  }

  func product(
    into start: Float, scale: Float = 1, keep: Float = 0, parallelism: Parallelism
  ) -> Matrix {
    var c = Matrix(rows: shape.m, columns: shape.n, repeating: start)
    a.withView { a in
      b.withView { b in
        c.withMutableView {
          multiply(
            isTransposed.a ? a.transposed : a, isTransposed.b ? b.transposed : b, into: $0,
            scale: scale, keep: keep, parallelism: parallelism)
        }
      }
    }
    return c
  }

  /// The largest error of C, in units of its rounding bound (k + 3) 2⁻²⁴ Σ |terms|.
  func excess(of c: Matrix, into start: Double = 0, scale: Double = 1, keep: Double = 0) -> Double {
    let (m, k, n) = (shape.m, shape.k, shape.n)
    let left = (0..<m * k).map { Double(isTransposed.a ? a[$0 % k, $0 / k] : a.elements[$0]) }
    let right = (0..<n * k).map { Double(isTransposed.b ? b.elements[$0] : b[$0 % k, $0 / k]) }
    var worst = 0.0
    for i in 0..<m {
      for j in 0..<n {
        var sum = keep * start
        var size = abs(sum)
        for p in 0..<k {
          let term = scale * left[i * k + p] * right[j * k + p]
          sum += term
          size += abs(term)
        }
        let error = abs(Double(c[i, j]) - sum) / (Double(k + 3) * 0x1p-24 * size)
        worst = error.isNaN ? .infinity : max(worst, error)
      }
    }
    return worst
  }
}
