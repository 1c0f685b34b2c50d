import RealModule
import Tensors

/// The assignment of ``maximumAssignment(_:)``, found sooner from that of a matrix that was similar.
///
/// For matrices that change a little at a time, as while networks are lined up step by step: a row that would still
/// choose its column at the old prices keeps it, and only the others look for theirs. Optimal whatever the
/// prices are; only where several assignments are, it may return another one than ``maximumAssignment(_:)``.
///
/// - Parameters:
///   - similarity: n × n, row i against column j. NaN or infinity is a precondition failure.
///   - earlier: the assignment of the similar matrix.
///   - prices: those of the similar matrix' columns, empty if there was none; becomes this one's.
/// - Returns: p with `p.indices[i]` the column matched to row i.
func maximumAssignment(
  _ similarity: Matrix, near earlier: Permutation, prices: inout [Double]
) -> Permutation {
  let solution =
    prices.isEmpty
    ? LinearAssignment(solving: similarity)
    : LinearAssignment(solving: similarity, near: earlier.indices, prices: prices)
  prices = solution.prices
  return Permutation(solution.columnOfRow)
}

extension LinearAssignment {
  init(solving matrix: Matrix, near earlier: [Int], prices: [Double]) {
    precondition(prices.count == matrix.rows && earlier.count == matrix.rows)
    // Zero for a finite x, NaN for others.
    let check = matrix.elements.reduce(0) { Relaxed.sum($0, $1 - $1) }
    precondition(check == 0, "a similarity that is not finite")
    self.init(of: matrix, prices: prices)
    keep(earlier)
    bid()
    augment()
  }

  /// Matches the rows to their earlier columns where these are still worth most to them.
  private mutating func keep(_ earlier: [Int]) {
    for (row, column) in earlier.enumerated() {
      list(row)
      // The list has the largest worth, so it has the column if that is worth as much.
      if worth(of: column, to: row) >= shortlists.best(row, prices: prices) { match(row, column) }
    }
  }
}
