import Tensors

/// Σ x and, after them, Σ x² of every column, added to numbers from `start` on.
func addColumnMoments(
  _ x: [Float], rows: Int, columns: Int, to sums: inout [Double], at start: Int
) {
  var sums = sums.mutableSpan
  let x = x.span
  for row in 0..<rows {
    for column in 0..<columns {
      let value = Double(x[row * columns + column])
      sums[start + column] += value
      sums[start + columns + column] += value * value
    }
  }
}

/// Σ x of every column.
func columnSums(_ x: [Float], rows: Int, columns: Int) -> [Double] {
  var result = [Double](repeating: 0, count: columns)
  var sums = result.mutableSpan
  let x = x.span
  for row in 0..<rows {
    for column in 0..<columns { sums[column] += Double(x[row * columns + column]) }
  }
  return result
}

/// AᵀB of two matrices of `rows` rows, added to the numbers from `start` on, whose rows are `stride` apart.
func addProduct(
  _ a: [Float], _ aColumns: Int, _ b: [Float], _ bColumns: Int, rows: Int,
  parallelism: Parallelism = .whole, to sums: inout [Double], at start: Int, stride: Int
) {
  var product = Matrix(rows: aColumns, columns: bColumns)
  product.withMutableView { product in
    a.withUnsafeBufferPointer { a in
      b.withUnsafeBufferPointer { b in
        multiply(
          MatrixView(a, rows: rows, columns: aColumns).transposed,
          MatrixView(b, rows: rows, columns: bColumns), into: product,
          parallelism: parallelism)
      }
    }
  }
  var sums = sums.mutableSpan
  let elements = product.elements.span
  for row in 0..<aColumns {
    for column in 0..<bColumns {
      sums[start + row * stride + column] += Double(elements[row * bColumns + column])
    }
  }
}
