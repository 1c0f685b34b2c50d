import RealModule
import Tensors

/// The columns that QR factorisation with column pivoting takes first: each the one that is farthest from the span of
/// those before it.
///
/// Computed as Cholesky's factorisation of HᵀH with the same pivots, in double precision, of which only the rows that may
/// be needed are formed: residuals only fall, so the next pivots are among the columns with the largest now, and the
/// products of 64 of these with all columns are one matrix product. That reads H once for many pivots, where QR reads it
/// for each. A column whose residual falls below 10⁻³ of its norm counts as dependent: rounding would choose among those.
/// If all others are dependent the rest is filled with the first of them.
///
/// - Parameters:
///   - h: samples × columns.
///   - count: how many columns are wanted, at most all.
///   - threads: how many threads compute; the answer does not depend on it.
/// - Returns: the columns in the order in which they were taken; of those equal to 10⁻⁶ the first comes first.
func pivotedColumns(of h: Matrix, count: Int, threads: Int = 1) -> [Int] {
  pivotedColumns(of: ColumnProducts(h, threads: threads), count: count, threads: threads)
}

/// The same of a matrix H of which HᵀH alone is known.
///
/// - Parameters:
///   - gram: HᵀH, columns × columns.
///   - count: how many columns are wanted, at most all.
///   - threads: how many threads compute.
/// - Returns: the columns in the order in which they were taken.
func pivotedColumns(ofGram gram: Matrix, count: Int, threads: Int = 1) -> [Int] {
  pivotedColumns(of: GramProducts(gram), count: count, threads: threads)
}

private func pivotedColumns(of products: any Products, count: Int, threads: Int) -> [Int] {
  let columns = products.squares.count
  precondition(count <= columns, "\(count) of \(columns) columns")
  var pivoting = Pivoting(products, count: count, threads: threads)
  while pivoting.pivots.count < count, pivoting.takeNext() {}
  var isTaken = [Bool](repeating: false, count: columns)
  for pivot in pivoting.pivots { isTaken[pivot] = true }
  let dependent = (0..<columns).filter { !isTaken[$0] }
  return pivoting.pivots + dependent.prefix(count - pivoting.pivots.count)
}

/// Products of columns with each other, of which those that are asked for are formed.
private protocol Products {
  /// The columns' squared norms.
  var squares: [Double] { get }

  /// Rows of HᵀH.
  func rows(of columns: [Int]) -> [[Double]]
}

private struct GramProducts: Products {
  private let gram: Matrix
  let squares: [Double]

  init(_ gram: Matrix) {
    precondition(gram.rows == gram.columns)
    self.gram = gram
    squares = (0..<gram.rows).map { Double(gram[$0, $0]) }
  }

  func rows(of columns: [Int]) -> [[Double]] {
    columns.map { column in
      gram.elements[column * gram.columns..<(column + 1) * gram.columns].map(Double.init)
    }
  }
}

private struct ColumnProducts: Products {
  private let h: Matrix
  private let threads: Int
  let squares: [Double]

  /// Samples whose products are summed in single precision.
  private static let chunk = 1024

  init(_ h: Matrix, threads: Int) {
    self.h = h
    self.threads = threads
    var squares = [Double](repeating: 0, count: h.columns)
    for row in 0..<h.rows {
      let start = row * h.columns
      for column in squares.indices {
        let value = Double(h.elements[start + column])
        squares[column] = Relaxed.multiplyAdd(value, value, squares[column])
      }
    }
    self.squares = squares
  }

  func rows(of chosen: [Int]) -> [[Double]] {
    var result = chosen.map { _ in [Double](repeating: 0, count: h.columns) }
    var part = Matrix(rows: chosen.count, columns: h.columns)
    for start in stride(from: 0, to: h.rows, by: Self.chunk) {
      let rows = min(Self.chunk, h.rows - start)
      var own = Matrix(rows: rows, columns: chosen.count)
      for row in 0..<rows {
        for (place, column) in chosen.enumerated() { own[row, place] = h[start + row, column] }
      }
      h.elements.withUnsafeBufferPointer { h in
        let all = MatrixView(
          UnsafeBufferPointer(rebasing: h[(start * part.columns)...]), rows: rows,
          columns: part.columns)
        own.withView { own in
          part.withMutableView {
            multiply(own.transposed, all, into: $0, parallelism: .tiled(threads: threads))
          }
        }
      }
      for place in chosen.indices {
        add(part.elements, at: place * part.columns, to: &result[place])
      }
    }
    return result
  }
}

private struct Pivoting {
  private let products: any Products
  private let threads: Int
  private(set) var pivots: [Int] = []

  /// The squared norms of the columns, and of what the pivots leave of them; −∞ for pivots.
  private let squares: [Double]
  private var residuals: [Double]
  /// A row for each pivot: its direction's product with every column, Lᵀ.
  private var factor: [Double]
  /// Rows of HᵀH by column; empty where not formed, or used up.
  private var grams: [[Double]]

  /// Rows of HᵀH that are formed at once.
  private static let candidates = 64
  /// Columns that stay in the first cache while a row of the factor is computed; fixed, as are the bits with it.
  private static let block = 1024
  /// The share of a squared norm that counts as nothing, and the difference of squares that does.
  private static let (dependence, tie) = (1e-6, 1e-6)

  init(_ products: any Products, count: Int, threads: Int) {
    self.products = products
    self.threads = threads
    squares = products.squares
    residuals = squares
    factor = Array(repeating: 0, count: count * squares.count)
    grams = Array(repeating: [], count: squares.count)
  }

  /// Takes the next pivot; false if every other column depends on those taken.
  mutating func takeNext() -> Bool {
    func isOpen(_ column: Int) -> Bool {
      residuals[column] > Self.dependence * squares[column]
    }
    let largest = residuals.indices.reduce(0) { isOpen($1) ? max($0, residuals[$1]) : $0 }
    guard largest > 0,
      let pivot = residuals.indices.first(where: {
        residuals[$0] >= (1 - Self.tie) * largest && isOpen($0)
      })
    else { return false }
    if grams[pivot].isEmpty { formGrams(with: pivot) }
    let row = factorRow(of: pivot)
    let start = pivots.count * squares.count
    for (column, value) in row.enumerated() {
      factor[start + column] = value
      residuals[column] -= value * value
    }
    residuals[pivot] = -.infinity
    grams[pivot] = []
    pivots.append(pivot)
    return true
  }

  /// (HᵀH of the pivot − Σ_k L_k[pivot] L_k) / √residual, for every column.
  private func factorRow(of pivot: Int) -> [Double] {
    let (columns, taken) = (squares.count, pivots.count)
    let scale = 1 / residuals[pivot].squareRoot()
    let shares = (0..<taken).map { factor[$0 * columns + pivot] }
    let blocks = concurrentMap((columns + Self.block - 1) / Self.block, threads: threads) {
      [factor, gram = grams[pivot]] index in
      let range = index * Self.block..<min((index + 1) * Self.block, columns)
      var rest = Array(gram[range])
      for k in 0..<taken { subtract(shares[k], factor, at: k * columns + range.lowerBound, &rest) }
      for i in rest.indices { rest[i] *= scale }
      return rest
    }
    return Array(blocks.joined())
  }

  /// Forms the rows of HᵀH of a pivot, and of the columns that are likely to follow.
  private mutating func formGrams(with pivot: Int) {
    let open = residuals.indices.filter {
      $0 != pivot && grams[$0].isEmpty && residuals[$0] > Self.dependence * squares[$0]
    }
    let next = open.sorted { (residuals[$0], $1) > (residuals[$1], $0) }
    let chosen = [pivot] + next.prefix(Self.candidates - 1)
    for (column, row) in zip(chosen, products.rows(of: chosen)) { grams[column] = row }
  }
}

/// x ← x − share · the numbers of an array from a place on.
private func subtract(_ share: Double, _ values: [Double], at start: Int, _ x: inout [Double]) {
  precondition(start + x.count <= values.count)
  values.withUnsafeBufferPointer { values in
    x.withUnsafeMutableBufferPointer { x in
      for i in 0..<x.count { x[i] = Relaxed.multiplyAdd(-share, values[start + i], x[i]) }
    }
  }
}

/// sum ← sum + the numbers of an array from a place on.
private func add(_ values: [Float], at start: Int, to sum: inout [Double]) {
  precondition(start + sum.count <= values.count)
  values.withUnsafeBufferPointer { values in
    sum.withUnsafeMutableBufferPointer { sum in
      for i in 0..<sum.count { sum[i] += Double(values[start + i]) }
    }
  }
}
