import Networks

extension MergingMethod {
  public static let naive = MergingMethod(
    name: "naive", summary: "the mean of the weights as they are"
  ) { _ in NaiveAverage() }
}

/// The mean of the members' parameters as they are.
///
/// Members that were trained independently number their hidden units differently, so this is far below
/// any of them; it is what permutations are measured against.
public struct NaiveAverage: Merger {
  /// The naive average.
  public init() {}

  public func apply(to merge: inout Merge, in context: MergeContext) throws {
    merge = try Merge(merge.members)
  }
}
