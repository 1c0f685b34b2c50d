import Networks

extension MergingMethod {
  static let naive = MergingMethod(
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

  public func merge(_ members: [Network], in context: MergeContext) throws -> MergeResult {
    let architecture = try requireOneArchitecture(members)
    let average = Network(architecture, parameters: mean(of: members.map(\.parameters)))
    return MergeResult(variants: [MergedVariant(network: average)])
  }
}
