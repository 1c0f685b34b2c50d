import Networks
import Tensors

extension WeightMatcher {
  /// A start for the ascent: permutations found one group after another, from the input on.
  ///
  /// A group is matched by those tensors alone whose other groups are matched or pinned already, the one with most such numbers
  /// a unit first; what is not yet matched would add noise. Copies of one network come out lined up. Groups that lie
  /// within each other along an axis, as heads and what is in a head, can be matched by neither alone: for each pair of
  /// heads what is in them is matched first, which tells how near the two are.
  ///
  /// Where groups are many and deep, or lie within each other, the ascent from the identity stays in what it meets: of copies of random
  /// networks it found all of ResNet18 and DenseNet121, and a part of MobileNetV2 and ViT-B/16.
  ///
  /// - Returns: one permutation for each group.
  /// - Throws: ``MergeError`` if products of weights overflow.
  func propagated(
    _ network: Network, to reference: Network
  ) throws(MergeError) -> [Permutation] {
    var permutations = identity
    var isKnown = symmetry.groups.map { _ in false }
    let pairs = nestedGroups()
    while isKnown.contains(false) {
      var best: (numbers: Int, single: Int?, pair: Int?) = (0, nil, nil)
      for group in symmetry.groups where !isKnown[group.index] {
        let numbers = anchored(group.places, besides: [group.index], isKnown)
          .reduce(0) { $0 + $1.tensor.range.count / group.count }
        if numbers > best.numbers { best = (numbers, group.index, nil) }
      }
      for (index, pair) in pairs.enumerated() where !isKnown[pair.outer] && !isKnown[pair.inner] {
        let numbers = anchored(pair.places, besides: [pair.outer, pair.inner], isKnown)
          .reduce(0) { $0 + $1.tensor.range.count / $1.count }
        if numbers > best.numbers { best = (numbers, nil, index) }
      }
      if let index = best.pair {
        let pair = pairs[index]
        let places = anchored(pair.places, besides: [pair.outer, pair.inner], isKnown)
        let similarity = try similarity(
          of: network, to: reference, at: places, count: places[0].count, permutations)
        (permutations[pair.outer], permutations[pair.inner]) = nested(
          similarity, outer: symmetry.groups[pair.outer].count)
        isKnown[pair.outer] = true
        isKnown[pair.inner] = true
        continue
      }
      guard let next = best.single ?? isKnown.firstIndex(of: false) else { break }
      let group = symmetry.groups[next]
      // With nothing to go by the units stay.
      let places = anchored(group.places, besides: [next], isKnown)
      if !places.isEmpty {
        permutations[next] = maximumAssignment(
          try similarity(
            of: network, to: reference, at: places, count: group.count, permutations))
      }
      isKnown[next] = true
    }
    return permutations
  }

  /// Two groups of which one lies within the other wherever their pairs are numbered.
  private struct NestedGroups {
    let outer: Int
    let inner: Int
    /// Of the pairs.
    var places: [Place]
  }

  private func nestedGroups() -> [NestedGroups] {
    var result: [NestedGroups] = []
    for group in symmetry.groups {
      for place in group.places where !place.isBuffer {
        for (other, inner) in places(in: place.tensor) where other != group.index {
          guard let product = place.product(with: inner) else { continue }
          // Every pair of outer units is compared, by an assignment of what is in them.
          let (n, m) = (Double(place.count), Double(inner.count))
          guard n * n * m * m * m < 4e9, n * m <= 8192 else { continue }
          if let known = result.firstIndex(where: { $0.outer == group.index && $0.inner == other })
          {
            result[known].places.append(product)
          } else {
            result.append(NestedGroups(outer: group.index, inner: other, places: [product]))
          }
        }
      }
    }
    return result
  }

  /// The places in tensors of which all other groups are known, and that have the groups along one axis alone.
  private func anchored(_ places: [Place], besides own: [Int], _ isKnown: [Bool]) -> [Place] {
    places.filter { place in
      !place.isBuffer
        && self.places(in: place.tensor).allSatisfy {
          own.contains($0.group) ? $0.place.axis == place.axis : isKnown[$0.group]
        }
    }
  }

  /// ⟨unit i of the reference, unit j of the network⟩ over some places, the groups being permuted as far as they are known.
  private func similarity(
    of network: Network, to reference: Network, at places: [Place], count: Int,
    _ permutations: [Permutation]
  ) throws(MergeError) -> Matrix {
    var result = Matrix(rows: count, columns: count)
    result.withMutableView { result in
      for place in places {
        let elements = network.elements(of: place.tensor, self.places(in: place.tensor)) {
          group, _ in
          permutations[group]
        }
        reference.withUnits(of: place) { a in
          elements.withUnsafeBufferPointer { elements in
            withUnits(of: place, in: elements) { b in
              multiply(a, b.transposed, into: result, keep: 1)
            }
          }
        }
      }
    }
    try requireFinite(result)
    return result
  }

  /// Permutations of outer units and of what is in them, all alike, from the similarity of their pairs.
  private func nested(_ similarity: Matrix, outer count: Int) -> (Permutation, Permutation) {
    let width = similarity.rows / count
    func block(_ i: Int, _ j: Int) -> Matrix {
      var result = Matrix(rows: width, columns: width)
      for u in 0..<width {
        for v in 0..<width { result[u, v] = similarity[i * width + u, j * width + v] }
      }
      return result
    }
    var worth = Matrix(rows: count, columns: count)
    for i in 0..<count {
      for j in 0..<count {
        let own = block(i, j)
        worth[i, j] = Float(total(own, maximumAssignment(own)))
      }
    }
    let outer = maximumAssignment(worth)
    var sum = Matrix(rows: width, columns: width)
    for (i, j) in outer.indices.enumerated() {
      let own = block(i, j)
      for place in sum.elements.indices { sum.elements[place] += own.elements[place] }
    }
    return (outer, maximumAssignment(sum))
  }
}
