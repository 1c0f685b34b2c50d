import Networks
import Tensors

/// Finds permutations of a network's hidden units that bring its weights near another's.
///
/// Coordinate ascent on scale · ⟨θ_A, π(θ_B)⟩ + Σ_g ⟨C_g, P_g⟩ with some matrices C_g, if there are any: one group of units
/// after another, in random order, is matched by linear assignment while the others stay, until a sweep over all improves
/// nothing. Where a group numbers both axes of a tensor, as in W of h + ReLU(W h), the objective is quadratic in its permutation:
/// then the assignment is that of its linear part, and is taken only if the objective rises, so the ascent stays monotone.
struct WeightMatcher: Sendable {
  let symmetry: Symmetry
  private let identity: [Permutation]

  /// Of each group, the tensors that it numbers along more than one axis.
  private let pairedTensors: [[TensorLayout]]

  init(_ graph: Graph) {
    symmetry = graph.symmetry
    identity = graph.symmetry.identity
    pairedTensors = graph.symmetry.groups.map { group in
      var counts: [Int: Int] = [:]
      for place in group.places where !place.isBuffer {
        counts[place.tensor.range.lowerBound, default: 0] += 1
      }
      return group.places.filter {
        $0.axis == 0 && !$0.isBuffer && counts[$0.tensor.range.lowerBound] ?? 0 > 1
      }.map(\.tensor)
    }
  }

  /// The permutations that bring `network` nearest to `reference`, a local optimum that holds the identity or better.
  ///
  /// - Parameters:
  ///   - network: whose units are reordered.
  ///   - reference: whose units they are matched to.
  ///   - scale: the factor of the weights' similarity, above 0.
  ///   - extra: for each group what else a pair is worth, the reference's unit by row; empty for nothing.
  ///   - random: draws the order of the groups.
  /// - Returns: one permutation for each group.
  /// - Throws: ``MergeError`` if products of weights overflow.
  func match(
    _ network: Network, to reference: Network, scale: Float = 1, adding extra: [Matrix] = [],
    random: inout RandomStream
  ) throws(MergeError) -> [Permutation] {
    var prices = identity.map { _ in [Double]() }
    return try match(
      network, to: reference, scale: scale, adding: extra, random: &random, prices: &prices)
  }

  /// The same, sooner where the network was matched to a similar reference before: `prices` are those of the units
  /// of each group in the last assignment, empty if there was none, and one who comes back needs few `sweeps`.
  func match(
    _ network: Network, to reference: Network, scale: Float = 1, adding extra: [Matrix] = [],
    random: inout RandomStream, prices: inout [[Double]], sweeps: Int = 100
  ) throws(MergeError) -> [Permutation] {
    var permutations = identity
    for _ in 0..<sweeps {
      var isImproved = false
      for index in random.permutation(of: symmetry.groups.count) {
        let worth = extra.isEmpty ? nil : extra[index]
        let similarity = similarity(
          of: network, to: reference, permutations, group: index, scale: scale, adding: worth)
        guard similarity.elements.allSatisfy(\.isFinite) else {
          throw MergeError(
            "products of weights overflow while units are matched: the weights are huge",
            isAboutWeights: true)
        }
        let best = maximumAssignment(
          similarity, near: permutations[index], prices: &prices[index])
        func objective(_ permutation: Permutation) -> Double {
          guard !pairedTensors[index].isEmpty else { return total(similarity, permutation) }
          var changed = permutations
          changed[index] = permutation
          return exactObjective(
            of: network, to: reference, changed, group: index, scale: scale, adding: worth)
        }
        let (old, new) = (objective(permutations[index]), objective(best))
        guard new > old + 1e-7 * abs(old) else { continue }
        permutations[index] = best
        isImproved = true
      }
      // A single layer's assignment is the optimum at once.
      if !isImproved || (symmetry.groups.count == 1 && pairedTensors[0].isEmpty) { break }
    }
    return permutations
  }

  /// scale · ⟨unit i of the reference, unit j of the network⟩ over all places of a group, the other groups being
  /// permuted, and what is to be added; the derivative of the objective by the group's permutation.
  private func similarity(
    of network: Network, to reference: Network, _ permutations: [Permutation], group index: Int,
    scale: Float, adding extra: Matrix?
  ) -> Matrix {
    let group = symmetry.groups[index]
    var others = permutations
    others[index] = identity[index]
    let permuted = network.permuted(by: others)
    var own = identity
    own[index] = permutations[index]
    // Where the group numbers the other axis too, that is left as it is permuted now.
    let isPaired = !pairedTensors[index].isEmpty
    let byRows = isPaired ? permuted.permuted(by: own, axes: .columns) : permuted
    let byColumns = isPaired ? permuted.permuted(by: own, axes: .rows) : permuted
    var result = extra ?? Matrix(rows: group.count, columns: group.count)
    result.withMutableView { result in
      for place in group.places where !place.isBuffer {
        reference.withUnits(of: place) { a in
          (place.axis == 0 ? byRows : byColumns).withUnits(of: place) { b in
            multiply(a, b.transposed, into: result, scale: scale, keep: 1)
          }
        }
      }
    }
    return result
  }

  /// scale · ⟨θ_A, π(θ_B)⟩ over the tensors of a group, and what is added.
  private func exactObjective(
    of network: Network, to reference: Network, _ permutations: [Permutation], group index: Int,
    scale: Float, adding extra: Matrix?
  ) -> Double {
    let permuted = network.permuted(by: permutations)
    var sum = extra.map { total($0, permutations[index]) } ?? 0
    var seen: Set<Int> = []
    for place in symmetry.groups[index].places where !place.isBuffer {
      let range = place.tensor.range
      guard seen.insert(range.lowerBound).inserted else { continue }
      sum +=
        Double(scale)
        * dot(Array(reference.parameters[range]), Array(permuted.parameters[range]))
    }
    return sum
  }
}

/// The sum of the entries that an assignment picks, in double precision.
func total(_ similarity: Matrix, _ assignment: Permutation) -> Double {
  assignment.indices.enumerated().reduce(0) { $0 + Double(similarity[$1.offset, $1.element]) }
}
