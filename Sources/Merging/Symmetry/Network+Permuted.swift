import Networks
import Tensors

extension Network {
  /// The network with its hidden units reordered; it computes the same function.
  ///
  /// Of a perceptron W'_l = P_l W_l P_{l−1}ᵀ and b'_l = P_l b_l; in general each group's permutation reorders the units in
  /// every place that numbers them.
  ///
  /// - Parameter permutations: one for each group of the graph's symmetry.
  /// - Returns: the permuted network.
  public func permuted(by permutations: [Permutation]) -> Network {
    permuted(by: permutations) { _ in true }
  }

  /// Which of a tensor's axes are meant.
  enum Axes {
    /// The first, which numbers a layer's own units.
    case rows
    /// The others, which number the units it reads.
    case columns
  }

  /// The network with the units along some axes of its tensors reordered; another function unless all are.
  func permuted(by permutations: [Permutation], axes: Axes) -> Network {
    permuted(by: permutations) { axes == .rows ? $0 == 0 : $0 > 0 }
  }

  private func permuted(by permutations: [Permutation], axis isMeant: (Int) -> Bool) -> Network {
    let groups = graph.symmetry.groups
    precondition(
      permutations.map(\.count) == groups.map(\.count),
      "\(graph) was given permutations of \(permutations.map(\.count))")
    // Of each axis that is reordered, where its entries come from, by where the tensor starts.
    var sources: [Bool: [Int: (tensor: TensorLayout, axes: [[Int]?])]] = [false: [:], true: [:]]
    for (group, permutation) in zip(groups, permutations)
    where permutation.fixedPoints < permutation.count {
      for place in group.places where isMeant(place.axis) {
        let tensor = place.tensor
        var axes =
          sources[place.isBuffer]?[tensor.range.lowerBound]?.axes ?? tensor.shape.map { _ in nil }
        let old = axes[place.axis] ?? Array(0..<tensor.shape[place.axis])
        axes[place.axis] = place.reordering(old, by: permutation)
        sources[place.isBuffer]?[tensor.range.lowerBound] = (tensor, axes)
      }
    }
    var result = self
    for (tensor, axes) in (sources[false] ?? [:]).values {
      reorder(parameters, tensor, axes, at: tensor.range.lowerBound, into: &result.parameters)
    }
    for (tensor, axes) in (sources[true] ?? [:]).values {
      reorder(buffers, tensor, axes, at: tensor.range.lowerBound, into: &result.buffers)
    }
    return result
  }
}

extension Place {
  /// An axis' entries with this place's units reordered: those of unit u become those of `permutation.indices[u]`.
  fileprivate func reordering(_ entries: [Int], by permutation: Permutation) -> [Int] {
    guard !isWholeAxis else { return permutation.reordering(entries) }
    var result = entries
    for o in 0..<outer {
      for (unit, source) in permutation.indices.enumerated() {
        for b in 0..<block {
          result[offset + (o * count + unit) * block + b] =
            entries[offset + (o * count + source) * block + b]
        }
      }
    }
    return result
  }
}

/// Writes a tensor with its axes' entries taken from other places, from `start` on.
private func reorder(
  _ block: [Float], _ tensor: TensorLayout, _ axes: [[Int]?], at start: Int,
  into result: inout [Float]
) {
  let columns = tensor.columns
  // The axes but the first as one.
  var columnSources: [Int]?
  if axes.dropFirst().contains(where: { $0 != nil }) {
    var sources = [0]
    for (axis, size) in tensor.shape.enumerated().dropFirst() {
      let own = axes[axis] ?? Array(0..<size)
      sources = sources.flatMap { start in own.map { start * size + $0 } }
    }
    columnSources = sources
  }
  block.withUnsafeBufferPointer { from in
    result.withUnsafeMutableBufferPointer { to in
      for row in 0..<tensor.shape[0] {
        let target = start + row * columns
        let origin = tensor.range.lowerBound + (axes[0]?[row] ?? row) * columns
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

extension Network {
  /// Lends a place as a matrix with a row for each unit, of all the numbers that the unit has there.
  func withUnits<Result>(
    of place: Place, _ body: (MatrixView) throws -> Result
  ) rethrows -> Result {
    let block = place.isBuffer ? buffers : parameters
    return try block.withUnsafeBufferPointer {
      try Merging.withUnits(
        of: place, in: UnsafeBufferPointer(rebasing: $0[place.tensor.range]), body)
    }
  }

  /// The elements of a tensor of parameters after some of the groups that number it are permuted.
  ///
  /// - Parameters:
  ///   - tensor: the tensor.
  ///   - places: the places in it, each with its group.
  ///   - permutation: gives a group's permutation along an axis.
  /// - Returns: as many numbers as the tensor has.
  func elements(
    of tensor: TensorLayout, _ places: [(group: Int, place: Place)],
    permutedBy permutation: (_ group: Int, _ axis: Int) -> Permutation
  ) -> [Float] {
    var axes: [[Int]?] = tensor.shape.map { _ in nil }
    for (group, place) in places {
      let own = permutation(group, place.axis)
      guard own.fixedPoints < own.count else { continue }
      axes[place.axis] = place.reordering(
        axes[place.axis] ?? Array(0..<tensor.shape[place.axis]), by: own)
    }
    var result = Array(parameters[tensor.range])
    guard axes.contains(where: { $0 != nil }) else { return result }
    reorder(parameters, tensor, axes, at: 0, into: &result)
    return result
  }
}

/// Lends a place in a tensor's elements as a matrix with a row for each unit.
func withUnits<Result>(
  of place: Place, in elements: UnsafeBufferPointer<Float>,
  _ body: (MatrixView) throws -> Result
) rethrows -> Result {
  let tensor = place.tensor
  if place.isWholeAxis, place.axis == 0 || place.axis == 1 && tensor.shape.count == 2 {
    let view = MatrixView(elements, rows: tensor.shape[0], columns: tensor.columns)
    return try body(place.axis == 0 ? view : view.transposed)
  }
  return try gather(elements, place).withView(body)
}

/// The numbers of each unit at a place, a row a unit.
private func gather(_ elements: UnsafeBufferPointer<Float>, _ place: Place) -> Matrix {
  let shape = place.tensor.shape
  let before = shape[..<place.axis].reduce(1, *)
  let after = shape[(place.axis + 1)...].reduce(1, *)
  let width = shape[place.axis]
  var rows: [Float] = []
  rows.reserveCapacity(place.outer * place.count * place.block * before * after)
  for entries in place.entries {
    for outer in 0..<before {
      for entry in entries {
        let start = (outer * width + entry) * after
        rows += elements[start..<start + after]
      }
    }
  }
  return Matrix(rows: place.count, columns: rows.count / max(place.count, 1), elements: rows)
}
