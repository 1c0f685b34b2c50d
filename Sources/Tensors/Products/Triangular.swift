import COpenBLAS
import RealModule

/// L⁻¹ of a lower triangular L, in double precision; BLAS' `dtrsm`, on one thread.
///
/// - Parameters:
///   - l: n × n row by row; what lies above the diagonal is not read.
///   - n: its side.
/// - Returns: n × n row by row, zero above the diagonal.
public func inverseOfLowerTriangle(_ l: [Double], _ n: Int) -> [Double] {
  precondition(l.count == n * n)
  BLAS.prepare()
  var x = [Double](repeating: 0, count: n * n)
  for i in 0..<n { x[i * n + i] = 1 }
  let side = Int32(n)
  l.withUnsafeBufferPointer { l in
    x.withUnsafeMutableBufferPointer { x in
      cblas_dtrsm(
        CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, side, side, 1,
        l.baseAddress, side, x.baseAddress, side)
    }
  }
  return x
}

/// Cholesky's factor of a symmetric positive definite matrix in double precision, by blocks: OpenBLAS multiplies, and we take roots.
///
/// n³/3 multiplications, nearly all of them in products; the bits do not depend on the number of threads.
///
/// - Parameters:
///   - matrix: n × n row by row; of its lower triangle the factor L with L Lᵀ = A is made, and what lies above stays.
///   - n: its side.
/// - Returns: nil, or the first row by which the matrix is not positive definite.
public func factorizeInBlocks(_ matrix: inout [Double], _ n: Int) -> Int? {
  precondition(matrix.count == n * n)
  BLAS.prepare()
  let block = 128
  return matrix.withUnsafeMutableBufferPointer { matrix in
    guard let a = matrix.baseAddress else { return nil }
    for start in stride(from: 0, to: n, by: block) {
      let end = min(start + block, n)
      for i in start..<end {
        for j in start...i {
          var sum = 0.0
          for k in start..<j { sum = Relaxed.multiplyAdd(a[i * n + k], a[j * n + k], sum) }
          let rest = a[i * n + j] - sum
          if i > j {
            a[i * n + j] = rest / a[j * n + j]
          } else {
            guard rest > 0, rest.isFinite else { return i }
            a[i * n + i] = rest.squareRoot()
          }
        }
      }
      guard end < n else { break }
      let (rows, columns) = (blasint(n - end), blasint(end - start))
      let (panel, rest) = (a + end * n + start, a + end * n + end)
      cblas_dtrsm(
        CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, rows, columns, 1,
        a + start * n + start, blasint(n), panel, blasint(n))
      cblas_dsyrk(
        CblasRowMajor, CblasLower, CblasNoTrans, rows, columns, -1, panel, blasint(n), 1, rest,
        blasint(n))
    }
    return nil
  }
}

/// X with L Lᵀ X = B, for a lower triangular L.
///
/// - Parameters:
///   - lower: L, n × n row by row; what lies above the diagonal is not read.
///   - n: its side.
///   - x: B, n × columns row by row; overwritten by X.
///   - columns: how many right-hand sides there are.
public func solveTriangles(_ lower: [Double], _ n: Int, _ x: inout [Double], columns: Int) {
  precondition(lower.count == n * n && x.count == n * columns)
  guard columns > 0 else { return }
  BLAS.prepare()
  for transposition in [CblasNoTrans, CblasTrans] {
    cblas_dtrsm(
      CblasRowMajor, CblasLeft, CblasLower, transposition, CblasNonUnit, blasint(n),
      blasint(columns), 1, lower, blasint(n), &x, blasint(columns))
  }
}
