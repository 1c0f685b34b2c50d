/// How units are matched.
public struct MatchingSettings: Codable, Equatable, Sendable {
  /// How often MergeMany starts anew, with the members in other orders; the best is kept.
  public var restarts: Int

  /// Passes over the training images of each straight-through search.
  public var straightThroughEpochs: Int

  /// The base rate of SGD there.
  public var straightThroughLearningRate: Float

  /// Settings of matching.
  public init(
    restarts: Int, straightThroughEpochs: Int = 2, straightThroughLearningRate: Float = 0.01
  ) {
    self.restarts = restarts
    self.straightThroughEpochs = straightThroughEpochs
    self.straightThroughLearningRate = straightThroughLearningRate
  }
}
