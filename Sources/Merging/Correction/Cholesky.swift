import RealModule
import Tensors

/// X with A X = B, for a symmetric positive definite A, in double precision.
///
/// Cholesky's factors A = L Lᵀ, then both triangles, then a look at the residual: ‖B − A X‖ must be below
/// 10⁻⁹ (‖A‖ ‖X‖ + ‖B‖), of every matrix its largest entry but of A its largest row sum. n³/6 + 2 n² m multiplications: at
/// n = 513 0.03 s for ten right-hand sides and 0.09 s for 512. Not OpenBLAS' `dpotrf`, which some builds of it lack.
///
/// - Parameters:
///   - a: A, n × n row by row, of which only the lower triangle is read: products in single precision are not quite symmetric.
///   - n: its side.
///   - b: B, n × columns row by row.
///   - columns: how many right-hand sides there are.
/// - Returns: X, n × columns row by row.
/// - Throws: ``MergeError`` if A is not positive definite or too near to one that is not.
func solvePositiveDefinite(
  _ a: [Double], _ n: Int, _ b: [Double], columns: Int
) throws(MergeError) -> [Double] {
  precondition(a.count == n * n && b.count == n * columns)
  let lower = try choleskyFactor(a, n)
  var x = b
  substitute(lower, n, into: &x, columns: columns)

  var (largestRow, largestX, largestB, largestResidual) = (0.0, 0.0, 0.0, 0.0)
  for i in 0..<n {
    var residual = Array(b[i * columns..<(i + 1) * columns])
    var rowSum = 0.0
    for j in 0..<n {
      let element = j <= i ? a[i * n + j] : a[j * n + i]
      rowSum += abs(element)
      subtract(element, x, from: j * columns, into: &residual, at: 0, count: columns)
    }
    largestRow = max(largestRow, rowSum)
    for c in 0..<columns {
      largestX = max(largestX, abs(x[i * columns + c]))
      largestB = max(largestB, abs(b[i * columns + c]))
      largestResidual = max(largestResidual, abs(residual[c]))
    }
  }
  guard x.allSatisfy(\.isFinite) else {
    throw MergeError("the right-hand side or the solution has infinite numbers or none")
  }
  guard largestResidual <= 1e-9 * (largestRow * largestX + largestB) else {
    throw MergeError("the residual is \(largestResidual), the matrix nearly singular")
  }
  return x
}

/// Cholesky's factor of a matrix that many right-hand sides are solved with.
struct CholeskyFactor: Sendable {
  private let lower: [Double]
  private let side: Int

  /// The factor of A, n × n row by row, of which only the lower triangle is read.
  ///
  /// - Throws: ``MergeError`` if A is not positive definite.
  init(_ a: [Double], _ n: Int) throws(MergeError) {
    lower = try choleskyFactor(a, n)
    side = n
  }

  /// x ← A⁻¹ x, n × columns row by row.
  func solve(_ x: inout [Double], columns: Int) {
    substitute(lower, side, into: &x, columns: columns)
  }
}

/// From which side on matrices are left to blocks and OpenBLAS: there they are ten times as fast.
private let leastSideOfBlocks = 1500

/// L, lower triangular with L Lᵀ = A; what lies above the diagonal is A's.
func choleskyFactor(_ a: [Double], _ n: Int) throws(MergeError) -> [Double] {
  var l = a
  if n >= leastSideOfBlocks {
    if let row = factorizeInBlocks(&l, n) {
      throw MergeError("the matrix is not positive definite, by row \(row) of \(n)")
    }
    return l
  }
  // Of a block of rows each earlier row is used once while it is in the first cache.
  let block = 16
  var failed: Int?
  l.withUnsafeMutableBufferPointer { l in
    func reduce(_ i: Int, _ j: Int) -> Double {
      var sum = 0.0
      let (row, other) = (i * n, j * n)
      for k in 0..<j { sum = Relaxed.multiplyAdd(l[row + k], l[other + k], sum) }
      return l[row + j] - sum
    }
    for start in stride(from: 0, to: n, by: block) {
      let end = min(start + block, n)
      for j in 0..<end {
        if j >= start {
          let pivot = reduce(j, j)
          guard pivot > 0, pivot.isFinite else {
            failed = j
            return
          }
          l[j * n + j] = pivot.squareRoot()
        }
        let diagonal = l[j * n + j]
        for i in max(start, j + 1)..<end { l[i * n + j] = reduce(i, j) / diagonal }
      }
    }
  }
  if let failed {
    throw MergeError("the matrix is not positive definite, by row \(failed) of \(n)")
  }
  return l
}

/// x ← (L Lᵀ)⁻¹ x, of n rows.
private func substitute(_ l: [Double], _ n: Int, into x: inout [Double], columns: Int) {
  guard n < leastSideOfBlocks else { return solveTriangles(l, n, &x, columns: columns) }
  func divide(_ row: Int) {
    for c in row * columns..<(row + 1) * columns { x[c] /= l[row * n + row] }
  }
  for i in 0..<n {
    for j in 0..<i {
      subtractRow(l[i * n + j], j, from: i, of: &x, columns: columns)
    }
    divide(i)
  }
  for i in (0..<n).reversed() {
    divide(i)
    for j in 0..<i {
      subtractRow(l[i * n + j], i, from: j, of: &x, columns: columns)
    }
  }
}

/// x_i ← x_i − factor · x_j, of rows.
private func subtractRow(
  _ factor: Double, _ j: Int, from i: Int, of x: inout [Double], columns: Int
) {
  var x = x.mutableSpan
  for c in 0..<columns {
    x[i * columns + c] = Relaxed.multiplyAdd(-factor, x[j * columns + c], x[i * columns + c])
  }
}

/// out ← out − factor · x, of `count` elements from `start` and `place` on.
private func subtract(
  _ factor: Double, _ x: [Double], from start: Int, into out: inout [Double], at place: Int,
  count: Int
) {
  var out = out.mutableSpan
  let x = x.span
  for c in 0..<count {
    out[place + c] = Relaxed.multiplyAdd(-factor, x[start + c], out[place + c])
  }
}
