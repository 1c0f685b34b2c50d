extension MergeMethod {
  public static let harden = MergeMethod(
    "harden", "the mean by the permutations nearest to learned soft ones"
  ) { _ in Harden() }
}

/// Puts the permutations nearest to learned doubly stochastic matrices, by linear assignment, in their place.
public struct Harden: MergeStep {
  /// The step.
  public init() {}

  public func apply(to state: inout MergeState, with resources: MergeResources) throws {
    state.harden()
  }
}
