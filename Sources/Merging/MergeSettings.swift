import Networks

/// The settings of every method that has some.
public struct MergeSettings: Codable, Equatable, Sendable {
  public var matching: MatchingSettings
  public var permAVG: PermAVGSettings

  /// Of `permavg-labels`, `permavg-ensemble` and `permavg-both`.
  public var learning: PermAVGSettings
  public var unitWeights: WeightedAverageSettings
  public var fineTuning: FineTuneSettings

  /// Settings of the methods.
  public init(
    matching: MatchingSettings, permAVG: PermAVGSettings, learning: PermAVGSettings,
    unitWeights: WeightedAverageSettings, fineTuning: FineTuneSettings
  ) {
    self.matching = matching
    self.permAVG = permAVG
    self.learning = learning
    self.unitWeights = unitWeights
    self.fineTuning = fineTuning
  }

  /// The thesis' settings where it has some, and for what goes past it those that were found good here.
  public static let standard = MergeSettings(
    matching: MatchingSettings(restarts: 4),
    permAVG: PermAVGSettings(
      epochs: 20, learningRate: 0.1, schedule: .cosine, sinkhorn: .thesis),
    learning: PermAVGSettings(
      epochs: 5, learningRate: 0.1, schedule: .cosine, sinkhorn: .thesis, unitLearningRate: 0.01),
    unitWeights: WeightedAverageSettings(epochs: 5, learningRate: 0.01, schedule: .cosine),
    fineTuning: FineTuneSettings(
      epochs: 5, learningRate: 0.1, schedule: .cosine, momentum: 0.9, weightDecay: 1e-5))
}

extension SinkhornSettings {
  /// Not in the thesis: the tolerance, at which it stops before its 100 iterations.
  fileprivate static let thesis = SinkhornSettings(
    temperature: 1, epsilon: 1e-3, iterations: 100, tolerance: 1e-4)
}
