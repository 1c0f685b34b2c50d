/// A dense matrix of floats, stored row by row.
public struct Matrix: Equatable, Sendable {
  public let rows: Int
  public let columns: Int

  /// The elements in row-major order, `rows` × `columns` of them.
  public var elements: [Float]

  /// A matrix of the given elements, in row-major order.
  public init(rows: Int, columns: Int, elements: [Float]) {
    precondition(
      elements.count == rows * columns,
      "a \(rows) × \(columns) matrix was given \(elements.count) elements")
    self.rows = rows
    self.columns = columns
    self.elements = elements
  }

  /// A matrix whose elements are all the same.
  public init(rows: Int, columns: Int, repeating value: Float = 0) {
    self.init(
      rows: rows, columns: columns, elements: Array(repeating: value, count: rows * columns))
  }

  /// The n × n identity.
  public static func identity(_ n: Int) -> Matrix {
    var result = Matrix(rows: n, columns: n)
    for i in 0..<n { result[i, i] = 1 }
    return result
  }

  /// The element at a row and a column; for tests and for single elements, not for inner loops.
  public subscript(row: Int, column: Int) -> Float {
    get { elements[row * columns + column] }
    set { elements[row * columns + column] = newValue }
  }

  /// Lends the elements to a closure as a view that products take.
  public func withView<Result>(_ body: (MatrixView) throws -> Result) rethrows -> Result {
    try elements.withUnsafeBufferPointer {
      try body(MatrixView($0, rows: rows, columns: columns))
    }
  }

  /// Lends the elements to a closure as a view that a product may write to.
  public mutating func withMutableView<Result>(
    _ body: (MutableMatrixView) throws -> Result
  ) rethrows -> Result {
    let (rows, columns) = (rows, columns)
    return try elements.withUnsafeMutableBufferPointer {
      try body(MutableMatrixView($0, rows: rows, columns: columns))
    }
  }
}

/// Borrowed elements seen as a matrix, perhaps transposed; valid only inside the closure that lent
/// them.
///
/// Unchecked `Sendable`, so that the tiles of one product may be computed by several threads.
public struct MatrixView: @unchecked Sendable {
  let base: UnsafePointer<Float>
  /// Elements from one stored row to the next.
  let stride: Int
  let isTransposed: Bool
  public let rows: Int
  public let columns: Int

  private init(
    base: UnsafePointer<Float>, stride: Int, isTransposed: Bool, rows: Int, columns: Int
  ) {
    self.base = base
    self.stride = stride
    self.isTransposed = isTransposed
    self.rows = rows
    self.columns = columns
  }

  /// The first `rows` × `columns` elements of a buffer.
  public init(_ buffer: UnsafeBufferPointer<Float>, rows: Int, columns: Int) {
    guard let base = buffer.baseAddress, buffer.count >= rows * columns else {
      preconditionFailure("\(rows) × \(columns) elements wanted from a buffer of \(buffer.count)")
    }
    self.init(base: base, stride: columns, isTransposed: false, rows: rows, columns: columns)
  }

  /// The same elements with rows and columns exchanged; nothing moves.
  public var transposed: MatrixView {
    MatrixView(
      base: base, stride: stride, isTransposed: !isTransposed, rows: columns, columns: rows)
  }

  /// sum ← sum + scale · the elements, row by row.
  public func accumulate(into sum: UnsafeMutableBufferPointer<Float>, scale: Float) {
    for row in 0..<rows {
      for column in 0..<columns {
        let element =
          isTransposed ? base[column * stride + row] : base[row * stride + column]
        sum[row * columns + column] += scale * element
      }
    }
  }

  /// A contiguous range of the view's rows.
  public func rows(_ range: Range<Int>) -> MatrixView {
    MatrixView(
      base: base + range.lowerBound * (isTransposed ? 1 : stride), stride: stride,
      isTransposed: isTransposed, rows: range.count, columns: columns)
  }

  /// A contiguous range of the view's columns.
  public func columns(_ range: Range<Int>) -> MatrixView {
    transposed.rows(range).transposed
  }
}

/// Borrowed elements that a product may write to.
///
/// Unchecked `Sendable`: the tiles that threads write to are disjoint.
public struct MutableMatrixView: @unchecked Sendable {
  let base: UnsafeMutablePointer<Float>
  let stride: Int
  public let rows: Int
  public let columns: Int

  private init(base: UnsafeMutablePointer<Float>, stride: Int, rows: Int, columns: Int) {
    self.base = base
    self.stride = stride
    self.rows = rows
    self.columns = columns
  }

  /// The first `rows` × `columns` elements of a buffer.
  public init(_ buffer: UnsafeMutableBufferPointer<Float>, rows: Int, columns: Int) {
    guard let base = buffer.baseAddress, buffer.count >= rows * columns else {
      preconditionFailure("\(rows) × \(columns) elements wanted from a buffer of \(buffer.count)")
    }
    self.init(base: base, stride: columns, rows: rows, columns: columns)
  }

  func tile(rows rowRange: Range<Int>, columns columnRange: Range<Int>) -> MutableMatrixView {
    MutableMatrixView(
      base: base + rowRange.lowerBound * stride + columnRange.lowerBound, stride: stride,
      rows: rowRange.count, columns: columnRange.count)
  }
}
