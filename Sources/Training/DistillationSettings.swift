/// How a student is taught by the ensemble.
public struct DistillationSettings: Codable, Equatable, Sendable {
  /// The weight of the soft targets; 1 − α is that of the labels.
  public var alpha: Float

  /// The temperature of the soft targets.
  public var temperature: Float

  /// What of the members is averaged into the targets.
  public var targets: Combination

  /// Settings of a distillation.
  public init(alpha: Float, temperature: Float, targets: Combination) {
    self.alpha = alpha
    self.temperature = temperature
    self.targets = targets
  }
}
