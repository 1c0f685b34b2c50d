import RealModule
import Tensors

/// out ← Σ_i weight(i, A_i · x) A_i over the rows A_i, in one sweep over the matrix.
///
/// Both products of a Sinkhorn iteration, A x and Aᵀ u with u a function of A x, while a row is in the
/// first cache: half the memory traffic of two calls of BLAS.
///
/// - Parameters:
///   - matrix: A, n × n.
///   - x: n elements.
///   - out: n elements, overwritten.
///   - weight: gives a row's weight from its number and its product with x.
func sweep(
  _ matrix: Matrix, _ x: [Float], into out: inout [Float], weight: (Int, Float) -> Float
) {
  let columns = matrix.columns
  precondition(x.count == columns && out.count == columns)
  matrix.elements.withUnsafeBufferPointer { all in
    x.withUnsafeBufferPointer { x in
      out.withUnsafeMutableBufferPointer { out in
        out.update(repeating: 0)
        for row in 0..<matrix.rows {
          let a = UnsafeBufferPointer(rebasing: all[row * columns..<(row + 1) * columns])
          var product: Float = 0
          for j in 0..<columns { product = Relaxed.multiplyAdd(a[j], x[j], product) }
          let factor = weight(row, product)
          for j in 0..<columns { out[j] = Relaxed.multiplyAdd(factor, a[j], out[j]) }
        }
      }
    }
  }
}

/// out[i, j] ← u[i] · k[i, j] · v[j].
func scale(_ out: inout [Float], _ k: [Float], rows u: [Float], columns v: [Float]) {
  let n = v.count
  var out = out.mutableSpan
  let (k, v) = (k.span, v.span)
  for row in 0..<u.count {
    let (factor, start) = (u[row], row * n)
    for j in 0..<n { out[start + j] = factor * k[start + j] * v[j] }
  }
}

/// The row sums and the column sums of a ∘ b.
func productSums(_ a: [Float], _ b: [Float], _ n: Int) -> (rows: [Float], columns: [Float]) {
  var rows = [Float](repeating: 0, count: n)
  var columns = [Float](repeating: 0, count: n)
  var columnSums = columns.mutableSpan
  let (a, b) = (a.span, b.span)
  for row in 0..<n {
    var sum: Float = 0
    let start = row * n
    for j in 0..<n {
      let product = a[start + j] * b[start + j]
      columnSums[j] += product
      sum = Relaxed.sum(sum, product)
    }
    rows[row] = sum
  }
  return (rows, columns)
}
