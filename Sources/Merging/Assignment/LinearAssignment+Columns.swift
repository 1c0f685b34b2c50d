extension LinearAssignment {
  /// Prices each column at its largest similarity, and matches it to that row while the row is free.
  ///
  /// Nothing is worth more than zero then, and the matched columns are worth zero to their rows.
  mutating func reduceColumns() {
    var maxima = ColumnMaxima(n: n)
    for row in 0..<n { maxima.include(row, of: similarity) }
    precondition(maxima.areFinite, "a similarity that is not finite")
    for column in 0..<n {
      prices[column] = Double(maxima.values[column])
      let row = Int(maxima.rows[column])
      if columnOfRow[row] < 0 { match(row, column) }
    }
  }
}

/// The largest number of each column, and the first row that has it.
///
/// Explicit vectors: the plain loop, with its two outputs, takes four times as long, and nearly all the
/// time of an easy assignment.
private struct ColumnMaxima {
  let n: Int
  var values: [Float]
  var rows: [Int32]
  /// Sums of x − x, which is zero for a finite x and NaN for others.
  private var check = SIMD16<Float>(repeating: 0)
  private var checkOfRest: Float = 0

  init(n: Int) {
    self.n = n
    values = Array(repeating: -.infinity, count: n)
    rows = Array(repeating: 0, count: n)
  }

  var areFinite: Bool { check.sum() + checkOfRest == 0 }

  mutating func include(_ row: Int, of matrix: [Float]) {
    let whole = n / 16 * 16
    let number = Int32(truncatingIfNeeded: row)
    let numbers = SIMD16<Int32>(repeating: number)
    var check = check
    matrix.withUnsafeBytes { matrix in
      values.withUnsafeMutableBytes { values in
        rows.withUnsafeMutableBytes { rows in
          for start in stride(from: 0, to: 4 * whole, by: 64) {
            let new = matrix.loadUnaligned(
              fromByteOffset: 4 * row * n + start, as: SIMD16<Float>.self)
            var largest = values.loadUnaligned(fromByteOffset: start, as: SIMD16<Float>.self)
            var rowsOfLargest = rows.loadUnaligned(fromByteOffset: start, as: SIMD16<Int32>.self)
            let isLarger = new .> largest
            largest.replace(with: new, where: isLarger)
            rowsOfLargest.replace(with: numbers, where: isLarger)
            values.storeBytes(of: largest, toByteOffset: start, as: SIMD16<Float>.self)
            rows.storeBytes(of: rowsOfLargest, toByteOffset: start, as: SIMD16<Int32>.self)
            check += new - new
          }
        }
      }
    }
    self.check = check
    for column in whole..<n {
      let new = matrix[row * n + column]
      checkOfRest += new - new
      if new > values[column] {
        values[column] = new
        rows[column] = number
      }
    }
  }
}
