import COpenBLAS

/// How a matrix product uses the machine.
///
/// OpenBLAS gives other last bits with another number of threads, so it always runs on one here, and
/// parallel products are cut into tiles whose borders depend on the shape alone: the result has the
/// same bits for any number of threads.
public enum Parallelism: Sendable, Equatable {
  /// One call of BLAS, on the calling thread.
  case whole
  /// Fixed tiles, computed by up to `threads` threads.
  case tiled(threads: Int)

  /// How many threads may compute.
  public var threads: Int {
    switch self {
    case .whole: 1
    case .tiled(let threads): threads
    }
  }
}

/// C ← scale · A · B + keep · C.
///
/// - Parameters:
///   - a: m × k.
///   - b: k × n.
///   - c: m × n, overwritten; not read when `keep` is 0.
///   - scale: the factor of the product.
///   - keep: the factor of what C held before.
///   - parallelism: one call, or fixed tiles over threads; both are deterministic.
///   - finish: done to each tile of C (its view, rows and columns) once it is computed and still in the
///     cache.
public func multiply(
  _ a: MatrixView, _ b: MatrixView, into c: MutableMatrixView, scale: Float = 1, keep: Float = 0,
  parallelism: Parallelism = .whole,
  finish: @Sendable (MutableMatrixView, Range<Int>, Range<Int>) -> Void = { _, _, _ in }
) {
  precondition(
    a.columns == b.rows && c.rows == a.rows && c.columns == b.columns,
    "\(a.rows) × \(a.columns) times \(b.rows) × \(b.columns) into \(c.rows) × \(c.columns)")
  BLAS.prepare()
  guard case .tiled(let threads) = parallelism else {
    gemm(a, b, into: c, scale: scale, keep: keep)
    return finish(c, 0..<c.rows, 0..<c.columns)
  }
  let (down, across) = tiling(rows: c.rows, columns: c.columns, depth: a.columns)
  @Sendable func computeTile(_ index: Int) {
    let rows = part(index / across, of: down, in: c.rows)
    let columns = part(index % across, of: across, in: c.columns)
    let tile = c.tile(rows: rows, columns: columns)
    gemm(a.rows(rows), b.columns(columns), into: tile, scale: scale, keep: keep)
    finish(tile, rows, columns)
  }
  concurrently(down * across, threads: threads, computeTile)
}

/// How many tiles a product is cut into, by its shape alone.
///
/// Smaller tiles spend more on packing their operands than a further thread would gain; a product of a
/// tenth of a millisecond is not worth waking one.
private func tiling(rows: Int, columns: Int, depth: Int) -> (down: Int, across: Int) {
  guard rows * columns * depth > 1 << 22 else { return (1, 1) }
  let (down, across) = ((rows + 255) / 256, (columns + 511) / 512)
  guard down * across == 1 else { return (down, across) }
  return rows > columns ? (2, 1) : (1, 2)
}

private func gemm(
  _ a: MatrixView, _ b: MatrixView, into c: MutableMatrixView, scale: Float, keep: Float
) {
  var keep = keep
  if keep == 0 {
    // OpenBLAS clears C at a quarter of the speed of this, some 3 % of a training step.
    for row in 0..<c.rows { (c.base + row * c.stride).update(repeating: 0, count: c.columns) }
    keep = 1
  }
  cblas_sgemm(
    CblasRowMajor, a.isTransposed ? CblasTrans : CblasNoTrans,
    b.isTransposed ? CblasTrans : CblasNoTrans, Int32(a.rows), Int32(b.columns), Int32(a.columns),
    scale, a.base, Int32(a.stride), b.base, Int32(b.stride), keep, c.base, Int32(c.stride))
}

/// y ← scale · A · x + keep · y, for a matrix and a vector.
///
/// - Parameters:
///   - a: m × n.
///   - x: n elements.
///   - y: m elements, overwritten; not read when `keep` is 0.
///   - scale: the factor of the product.
///   - keep: the factor of what y held before.
public func multiply(
  _ a: MatrixView, _ x: [Float], into y: inout [Float], scale: Float = 1, keep: Float = 0
) {
  precondition(
    x.count == a.columns && y.count == a.rows,
    "\(a.rows) × \(a.columns) times a vector of \(x.count) into one of \(y.count)")
  BLAS.prepare()
  let (storedRows, storedColumns) =
    a.isTransposed ? (a.columns, a.rows) : (a.rows, a.columns)
  cblas_sgemv(
    CblasRowMajor, a.isTransposed ? CblasTrans : CblasNoTrans, Int32(storedRows),
    Int32(storedColumns), scale, a.base, Int32(a.stride), x, 1, keep, &y, 1)
}
