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

  /// What it takes.
  var needs: MergeMethod.Needs {
    alpha > 0 ? .predictions(temperature: Self.temperature) : .trainingData
  }

  /// What the loss is, and the batches that it needs.
  ///
  /// - Throws: ``MergeError`` if there is no data, naming the method.
  func lesson(
    with resources: MergeResources, for method: String
  ) throws -> (batches: any BatchSource, loss: any Loss) {
    guard alpha > 0 else { return (try resources.batches(for: method), CrossEntropy()) }
    guard let taught = resources.taughtBatches else {
      throw MergeError("\(method) needs training data, and there is none")
    }
    return (
      try taught(Self.temperature), DistillationLoss(alpha: alpha, temperature: Self.temperature)
    )
  }
}
