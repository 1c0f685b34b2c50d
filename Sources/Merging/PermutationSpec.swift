import Networks

/// Which axes of which tensors a permutation of hidden units acts on.
///
/// Derived from the architecture's tensors, whose axes say which dimension they run over: every dimension but
/// the input and the output may be reordered, in all the places it occurs in at once, without changing the function.
public struct PermutationSpec: Equatable, Sendable {
  /// One axis of one tensor.
  public struct Place: Equatable, Sendable {
    public let tensor: TensorLayout
    public let axis: Int
  }

  /// The places that one permutation acts on.
  public struct Group: Equatable, Sendable {
    /// Which permutation, from 0; that of the hidden layer of the same index.
    public let index: Int
    /// How many units it reorders.
    public let count: Int
    public let places: [Place]
  }

  /// By index.
  public let groups: [Group]

  /// The spec of an architecture.
  public init(_ architecture: Architecture) {
    groups = architecture.hiddenWidths.enumerated().map { index, width in
      let places = architecture.tensors.flatMap { tensor in
        tensor.dimensions.enumerated().compactMap { axis, dimension in
          dimension == index + 1 ? Place(tensor: tensor, axis: axis) : nil
        }
      }
      return Group(index: index, count: width, places: places)
    }
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
    permuted(by: permutations, axes: 0...1)
  }

  /// The network with the units along some axes of its tensors reordered: P_l W_l and P_l b_l for axis 0, W_l P_{l−1}ᵀ
  /// for axis 1.
  ///
  /// It computes another function unless both are.
  func permuted(by permutations: [Permutation], axes: ClosedRange<Int>) -> Network {
    precondition(
      permutations.map(\.count) == Array(architecture.hiddenWidths),
      "\(architecture) was given permutations of \(permutations.map(\.count))")
    var result = self
    let identity = permutations.map { $0.fixedPoints == $0.count }
    for tensor in architecture.tensors {
      // Of each axis, where its entries come from; nil for where they are.
      let sources = tensor.dimensions.enumerated().map { axis, dimension -> [Int]? in
        guard axes.contains(axis), permutations.indices.contains(dimension - 1),
          !identity[dimension - 1]
        else { return nil }
        return permutations[dimension - 1].indices
      }
      guard sources.contains(where: { $0 != nil }) else { continue }
      let columns = tensor.shape.count > 1 ? tensor.shape[1] : 1
      let columnSources = sources.count > 1 ? sources[1] : nil
      parameters.withUnsafeBufferPointer { from in
        result.parameters.withUnsafeMutableBufferPointer { to in
          for row in 0..<tensor.shape[0] {
            let target = tensor.range.lowerBound + row * columns
            let origin = tensor.range.lowerBound + (sources[0]?[row] ?? row) * columns
            if let columnSources {
              for (column, source) in columnSources.enumerated() {
                to[target + column] = from[origin + source]
              }
            } else {
              for column in 0..<columns { to[target + column] = from[origin + column] }
            }
          }
        }
      }
    }
    return result
  }
}
