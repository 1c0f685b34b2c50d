/// How a student is taught by the ensemble.
public struct DistillationSettings: Codable, Equatable, Sendable {
  /// The weight of the soft targets; 1 − α is that of the labels.
  public var alpha: Float

  /// The temperature of the soft targets.
  public var temperature: Float

  /// What of the members is averaged into the targets.
  public var targets: Combination

  /// Longer gradients of a student are scaled down to this norm; nil for none.
  ///
  /// The loss' gradient grows with α and T. Without a bound, students with three hidden layers run away within the first
  /// hundred steps at the recipe's rate, or lose most of their units; with it a step is bounded by the rate.
  public var maximumGradientNorm: Float?

  /// Settings of a distillation.
  public init(
    alpha: Float, temperature: Float, targets: Combination, maximumGradientNorm: Float? = nil
  ) {
    self.alpha = alpha
    self.temperature = temperature
    self.targets = targets
    self.maximumGradientNorm = maximumGradientNorm
  }
}
