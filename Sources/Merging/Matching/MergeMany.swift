import Networks

extension MergingMethod {
  public static let mergeMany = MergingMethod(
    name: "mergemany",
    summary: "the mean after matching each member's units to the mean of the others, in turn"
  ) { MergeMany($0.matching) }
}

/// Git Re-Basin's MergeMany (Ainsworth, Hayase & Srinivasa 2023, algorithm 3), from several starts.
///
/// Sweeps over the members in random order and matches each to the mean of all others, until a sweep brings no member
/// nearer. No member is the reference. Of the restarts the one is kept whose members lie nearest to their mean.
public struct MergeMany: Merger {
  public let settings: MatchingSettings

  /// The method with its settings.
  public init(_ settings: MatchingSettings) { self.settings = settings }

  public func apply(to merge: inout Merge, in context: MergeContext) throws {
    guard merge.members.count > 1 else { return merge.align(by: merge.permutations) }
    let aligned = merge.alignedMembers
    let matcher = WeightMatcher(merge.architecture)
    let seed = context.seed
    let attempts = concurrentMap(settings.restarts, threads: context.threads) { restart in
      var random = RandomStream(seed: seed, "merge many", restart)
      return Self.lineUp(aligned, matcher, random: &random)
    }
    // The first of equals, so that the answer is one.
    var best = attempts[0]
    for attempt in attempts.dropFirst() where attempt.similarity > best.similarity {
      best = attempt
    }
    merge.align(
      by: zip(best.permutations, merge.permutations).map { found, start in
        zip(found, start).map { $0.after($1) }
      })
  }

  /// Permutations of every member, and ‖Σ_m π_m(θ_m)‖², which grows as the members' distance from their mean falls.
  private static func lineUp(
    _ members: [Network], _ matcher: WeightMatcher, random: inout RandomStream
  ) -> (permutations: [[Permutation]], similarity: Double) {
    var placed = members
    var permutations = members.map { $0.architecture.hiddenWidths.map(Permutation.identity) }
    var prices = permutations.map { $0.map { _ in [Double]() } }
    var others = members[0]
    for _ in 0..<100 {
      // Kept up to date within a sweep, and added anew for each, so that rounding does not pile up.
      var total = sum(of: placed)
      var isImproved = false
      for member in random.permutation(of: members.count) {
        // Matching to the sum of the others is matching to their mean. Each layer once: until nothing improves, as
        // the paper does it, takes three times as long for three hidden layers and ends no better.
        others.parameters = total
        accumulate(placed[member].parameters, scale: -1, into: &others.parameters)
        let found = matcher.match(
          placed[member], to: others, random: &random, prices: &prices[member],
          sweeps: 1)
        guard found.contains(where: { $0.fixedPoints < $0.count }) else { continue }
        placed[member] = placed[member].permuted(by: found)
        permutations[member] = zip(found, permutations[member]).map { $0.after($1) }
        prices[member] = zip(found, prices[member]).map { $0.reordering($1) }
        total = others.parameters
        accumulate(placed[member].parameters, into: &total)
        isImproved = true
      }
      if !isImproved { break }
    }
    return (permutations, sum(of: placed).reduce(0) { $0 + Double($1) * Double($1) })
  }

  private static func sum(of networks: [Network]) -> [Float] {
    var result = networks[0].parameters
    for network in networks.dropFirst() { accumulate(network.parameters, into: &result) }
    return result
  }
}
