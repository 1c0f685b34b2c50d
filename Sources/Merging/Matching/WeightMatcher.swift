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
  let identity: [Permutation]

  /// Of each group, the tensors that it numbers along more than one axis.
  let pairedTensors: [[TensorLayout]]

  /// Of each tensor of parameters, by where it starts, the places in it, each with its group.
  private let numberings: [Int: [(group: Int, place: Place)]]

  init(_ graph: Graph) {
    symmetry = graph.symmetry
    identity = graph.symmetry.identity
    pairedTensors = graph.symmetry.groups.map { group in
      var axes: [Int: Set<Int>] = [:]
      for place in group.places where !place.isBuffer {
        axes[place.tensor.range.lowerBound, default: []].insert(place.axis)
      }
      var seen: Set<Int> = []
      return group.places.filter { !$0.isBuffer }.map(\.tensor).filter {
        axes[$0.range.lowerBound]?.count ?? 0 > 1 && seen.insert($0.range.lowerBound).inserted
      }
    }
    var numberings: [Int: [(group: Int, place: Place)]] = [:]
    for group in graph.symmetry.groups {
      for place in group.places where !place.isBuffer {
        numberings[place.tensor.range.lowerBound, default: []].append((group.index, place))
      }
    }
    self.numberings = numberings
  }

  func places(in tensor: TensorLayout) -> [(group: Int, place: Place)] {
    numberings[tensor.range.lowerBound] ?? []
  }

  /// The permutations that bring `network` nearest to `reference`, a local optimum that holds the identity or better.
  ///
  /// - Parameters:
  ///   - network: whose units are reordered.
  ///   - reference: whose units they are matched to.
  ///   - scale: the factor of the weights' similarity, above 0.
  ///   - extra: for each group what else a pair is worth, the reference's unit by row; empty for nothing.
  ///   - random: draws the order of the groups.
  ///   - propagates: whether the ascent starts from ``propagated(_:to:)`` as well, and the better end is taken.
  /// - Returns: one permutation for each group.
  /// - Throws: ``MergeError`` if products of weights overflow.
  func match(
    _ network: Network, to reference: Network, scale: Float = 1, adding extra: [Matrix] = [],
    random: inout RandomStream, propagates: Bool = false
  ) throws(MergeError) -> [Permutation] {
    var prices = identity.map { _ in [Double]() }
    let found = try match(
      network, to: reference, scale: scale, adding: extra, random: &random, prices: &prices)
    guard propagates, extra.isEmpty else { return found }
    let start = try propagated(network, to: reference)
    let placed = network.permuted(by: start)
    prices = identity.map { _ in [Double]() }
    let other = try match(placed, to: reference, scale: scale, random: &random, prices: &prices)
    let (a, b) = (network.permuted(by: found), placed.permuted(by: other))
    return dot(reference.parameters, b.parameters) > dot(reference.parameters, a.parameters)
      ? other.after(start) : found
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
        try requireFinite(similarity)
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
    // Where the group numbers another axis too, that is left as it is permuted now.
    var isPaired: Set<Int> = []
    for tensor in pairedTensors[index] { isPaired.insert(tensor.range.lowerBound) }
    var known: [Int: [Float]] = [:]
    func elements(at place: Place) -> [Float] {
      let start = place.tensor.range.lowerBound
      let key = isPaired.contains(start) ? start * 16 + place.axis : start * 16 + 15
      if let known = known[key] { return known }
      let found = network.elements(of: place.tensor, places(in: place.tensor)) { other, axis in
        other != index || isPaired.contains(start) && axis != place.axis
          ? permutations[other] : identity[other]
      }
      known[key] = found
      return found
    }
    var result = extra ?? Matrix(rows: group.count, columns: group.count)
    result.withMutableView { result in
      for place in group.places where !place.isBuffer {
        reference.withUnits(of: place) { a in
          elements(at: place).withUnsafeBufferPointer { elements in
            withUnits(of: place, in: elements) { b in
              multiply(a, b.transposed, into: result, scale: scale, keep: 1)
            }
          }
        }
      }
    }
    return result
  }

  func requireFinite(_ similarity: Matrix) throws(MergeError) {
    guard similarity.elements.allSatisfy(\.isFinite) else {
      throw MergeError(
        "products of weights overflow while units are matched: the weights are huge",
        isAboutWeights: true)
    }
  }

  /// scale · ⟨θ_A, π(θ_B)⟩ over the tensors of a group, and what is added.
  private func exactObjective(
    of network: Network, to reference: Network, _ permutations: [Permutation], group index: Int,
    scale: Float, adding extra: Matrix?
  ) -> Double {
    var sum = extra.map { total($0, permutations[index]) } ?? 0
    var seen: Set<Int> = []
    for place in symmetry.groups[index].places where !place.isBuffer {
      let range = place.tensor.range
      guard seen.insert(range.lowerBound).inserted else { continue }
      let permuted = network.elements(of: place.tensor, places(in: place.tensor)) { group, _ in
        permutations[group]
      }
      sum += Double(scale) * dot(Array(reference.parameters[range]), permuted)
    }
    return sum
  }
}

/// The sum of the entries that an assignment picks, in double precision.
func total(_ similarity: Matrix, _ assignment: Permutation) -> Double {
  assignment.indices.enumerated().reduce(0) { $0 + Double(similarity[$1.offset, $1.element]) }
}
