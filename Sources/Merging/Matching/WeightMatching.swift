import Networks

extension MergingMethod {
  public static let weightMatching = MergingMethod(
    name: "weight-matching",
    summary: "the mean after matching each member's units to member 0's by their weights"
  ) { _ in WeightMatching() }
}

/// Git Re-Basin's weight matching of every member to the first (Ainsworth, Hayase & Srinivasa 2023, algorithm 1).
///
/// Starts from how the members are lined up already.
public struct WeightMatching: Merger {
  /// The method.
  public init() {}

  public func apply(to merge: inout Merge, in context: MergeContext) throws {
    let matcher = WeightMatcher(merge.architecture)
    let aligned = merge.alignedMembers
    let start = merge.permutations
    let (count, seed) = (aligned.count - 1, context.seed)
    let found = concurrentMap(count, threads: context.threads) { place in
      let member = place + 1
      var random = RandomStream(seed: seed, "weight matching", member)
      return matcher.match(aligned[member], to: aligned[0], random: &random)
    }
    merge.align(
      by: [start[0]]
        + zip(start.dropFirst(), found).map { start, found in
          zip(found, start).map { $0.after($1) }
        })
  }
}

/// Finds permutations of a network's hidden units that bring its weights near another's.
///
/// Coordinate ascent on scale · ⟨θ_A, π(θ_B)⟩ + Σ_l ⟨C_l, P_l⟩ with some matrices C_l, if there are any: one hidden layer after
/// another, in random order, is matched by linear assignment while the others stay, until a sweep over all improves
/// nothing.
struct WeightMatcher: Sendable {
  let spec: PermutationSpec
  private let identity: [Permutation]

  init(_ architecture: Architecture) {
    spec = PermutationSpec(architecture)
    identity = architecture.hiddenWidths.map(Permutation.identity)
  }

  /// The permutations that bring `network` nearest to `reference`, a local optimum that holds the identity or better.
  ///
  /// - Parameters:
  ///   - network: whose units are reordered.
  ///   - reference: whose units they are matched to.
  ///   - scale: the factor of the weights' similarity, above 0.
  ///   - extra: for each hidden layer what else a pair is worth, the reference's unit by row; empty for nothing.
  ///   - random: draws the order of the layers.
  /// - Returns: one permutation for each hidden layer.
  func match(
    _ network: Network, to reference: Network, scale: Float = 1, adding extra: [Matrix] = [],
    random: inout RandomStream
  ) -> [Permutation] {
    var prices = identity.map { _ in [Double]() }
    return match(
      network, to: reference, scale: scale, adding: extra, random: &random, prices: &prices)
  }

  /// The same, sooner where the network was matched to a similar reference before: `prices` are those of the units
  /// of each layer in the last assignment, empty if there was none, and one who comes back needs few `sweeps`.
  func match(
    _ network: Network, to reference: Network, scale: Float = 1, adding extra: [Matrix] = [],
    random: inout RandomStream, prices: inout [[Double]], sweeps: Int = 100
  ) -> [Permutation] {
    var permutations = identity
    for _ in 0..<sweeps {
      var isImproved = false
      for index in random.permutation(of: spec.groups.count) {
        let similarity = similarity(
          of: network, to: reference, permutations, group: index, scale: scale,
          adding: extra.isEmpty ? nil : extra[index])
        let best = maximumAssignment(
          similarity, near: permutations[index], prices: &prices[index])
        let (old, new) = (total(similarity, permutations[index]), total(similarity, best))
        guard new > old + 1e-7 * abs(old) else { continue }
        permutations[index] = best
        isImproved = true
      }
      // A single layer's assignment is the optimum at once.
      if !isImproved || spec.groups.count == 1 { break }
    }
    return permutations
  }

  /// scale · ⟨unit i of the reference, unit j of the network⟩ over all places of a group, the other groups being
  /// permuted, and what is to be added.
  private func similarity(
    of network: Network, to reference: Network, _ permutations: [Permutation], group index: Int,
    scale: Float, adding extra: Matrix?
  ) -> Matrix {
    let group = spec.groups[index]
    var others = permutations
    others[index] = identity[index]
    let permuted = network.permuted(by: others)
    var result = extra ?? Matrix(rows: group.count, columns: group.count)
    result.withMutableView { result in
      for place in group.places {
        reference.withUnits(of: place) { a in
          permuted.withUnits(of: place) { b in
            multiply(a, b.transposed, into: result, scale: scale, keep: 1)
          }
        }
      }
    }
    return result
  }
}

/// The sum of the entries that an assignment picks, in double precision.
func total(_ similarity: Matrix, _ assignment: Permutation) -> Double {
  assignment.indices.enumerated().reduce(0) { $0 + Double(similarity[$1.offset, $1.element]) }
}

extension Network {
  /// Lends a tensor as a matrix with a row for each unit along an axis.
  func withUnits<Result>(
    of place: PermutationSpec.Place, _ body: (MatrixView) throws -> Result
  ) rethrows -> Result {
    let tensor = place.tensor
    return try parameters.withUnsafeBufferPointer {
      let view = MatrixView(
        UnsafeBufferPointer(rebasing: $0[tensor.range]), rows: tensor.shape[0],
        columns: tensor.shape.dropFirst().reduce(1, *))
      return try body(place.axis == 0 ? view : view.transposed)
    }
  }
}
