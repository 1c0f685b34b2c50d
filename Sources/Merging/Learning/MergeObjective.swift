import Networks

/// What a merge learns from.
public enum MergeObjective: Sendable {
  /// Cross entropy with the training labels.
  case labels
  /// The divergence from the ensemble's predictions; no labels.
  case ensemble
  /// Half of each, as students have it.
  case both

  /// The weight of the ensemble's predictions.
  private var alpha: Float {
    switch self {
    case .labels: 0
    case .ensemble: 1
    case .both: 0.5
    }
  }

  /// The temperature of the ensemble's predictions.
  ///
  /// Hinton et al. and the thesis soften more where a student starts at random.
  private static let temperature: Float = 3

  /// What the loss is, and the batches that it needs.
  ///
  /// - Throws: ``MergeError`` if there is no data, naming the method.
  func lesson(
    in context: MergeContext, for method: String
  ) throws -> (batches: any BatchSource, loss: any Loss) {
    let missing = MergeError("\(method) learns from training data, and there is none")
    guard alpha > 0 else {
      guard let batches = context.batches else { throw missing }
      return (batches, CrossEntropy())
    }
    guard let taught = context.taughtBatches else { throw missing }
    return (
      try taught(Self.temperature), DistillationLoss(alpha: alpha, temperature: Self.temperature)
    )
  }
}
