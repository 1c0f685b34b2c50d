import Networks

/// A reordering of a layer's hidden units: place i takes what was at `indices[i]`.
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

  /// P, with a one in each row and column.
  public var matrix: Matrix {
    var result = Matrix(rows: count, columns: count)
    for (row, column) in indices.enumerated() { result[row, column] = 1 }
    return result
  }
}

extension Network {
  /// The network with its hidden units reordered; it computes the same function.
  ///
  /// W'_l = P_l W_l P_{l−1}ᵀ and b'_l = P_l b_l, with P_0 and P_L the identity.
  ///
  /// - Parameter permutations: one for each hidden layer, in order.
  /// - Returns: the permuted network.
  public func permuted(by permutations: [Permutation]) -> Network {
    let layers = architecture.layers
    precondition(
      permutations.map(\.count) == Array(architecture.hiddenWidths),
      "\(architecture) was given permutations of \(permutations.map(\.count))")
    var result = self
    for layer in layers {
      let rows =
        layer.index < permutations.count
        ? permutations[layer.index] : .identity(layer.outputs)
      let columns = layer.index > 0 ? permutations[layer.index - 1] : .identity(layer.inputs)
      for (row, source) in rows.indices.enumerated() {
        let target = layer.weights.lowerBound + row * layer.inputs
        let origin = layer.weights.lowerBound + source * layer.inputs
        for (column, from) in columns.indices.enumerated() {
          result.parameters[target + column] = parameters[origin + from]
        }
        result.parameters[layer.biases.lowerBound + row] =
          parameters[layer.biases.lowerBound + source]
      }
    }
    return result
  }
}
