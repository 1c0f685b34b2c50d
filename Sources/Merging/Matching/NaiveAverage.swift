extension MergeMethod {
  public static let naive = MergeMethod(
    "naive", "the mean of the weights as they are", worksOnTensors: true
  ) { _ in NaiveAverage() }
}

/// The mean of the members' parameters as they are.
///
/// Members that were trained independently number their hidden units differently, so this is far below
/// any of them; it is what permutations are measured against.
public struct NaiveAverage: MergeStep {
  /// The naive average.
  public init() {}

  public func apply(to state: inout MergeState, with resources: MergeResources) throws {
    state.reset()
  }
}
