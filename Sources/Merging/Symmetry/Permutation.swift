import Tensors

/// A reordering of a group of hidden units: place i takes what was at `indices[i]`.
///
/// As a matrix, P[i, indices[i]] = 1, so that (P W) has row `indices[i]` of W as its row i.
public struct Permutation: Hashable, Sendable {
  public let indices: [Int]

  /// A permutation of the numbers below its length; anything else is a precondition failure.
  public init(_ indices: [Int]) {
    var isUsed = [Bool](repeating: false, count: indices.count)
    for index in indices {
      precondition(
        indices.indices.contains(index) && !isUsed[index], "\(indices) is not a permutation")
      isUsed[index] = true
    }
    self.indices = indices
  }

  /// The permutation that leaves everything in place.
  public static func identity(_ count: Int) -> Permutation { Permutation(Array(0..<count)) }

  public var count: Int { indices.count }

  /// The permutation that undoes this one.
  public var inverse: Permutation {
    var result = indices
    for (place, source) in indices.enumerated() { result[source] = place }
    return Permutation(result)
  }

  /// How many places keep what they had.
  public var fixedPoints: Int { indices.enumerated().reduce(0) { $0 + ($1.0 == $1.1 ? 1 : 0) } }

  /// This permutation after another: place i takes what the other has at `indices[i]`.
  public func after(_ other: Permutation) -> Permutation {
    Permutation(indices.map { other.indices[$0] })
  }

  /// Values of the units in their new places: place i has what was at `indices[i]`.
  func reordering<Value>(_ values: [Value]) -> [Value] { indices.map { values[$0] } }

  /// P, with a one in each row and column.
  public var matrix: Matrix {
    var result = Matrix(rows: count, columns: count)
    for (row, column) in indices.enumerated() { result[row, column] = 1 }
    return result
  }
}
