extension MergingMethod {
  public static let harden = MergingMethod(
    name: "harden", summary: "the mean by the permutations nearest to learned soft ones"
  ) { _ in Harden() }
}

/// Puts the permutations nearest to learned doubly stochastic matrices, by linear assignment, in their place.
public struct Harden: Merger {
  /// The step.
  public init() {}

  public func apply(to merge: inout Merge, in context: MergeContext) throws { merge.harden() }
}
