import COpenBLAS

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
