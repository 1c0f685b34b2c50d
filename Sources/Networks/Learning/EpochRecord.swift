/// What one epoch of learning came to, whoever learned: a member, a student or a merge.
public struct EpochRecord: Codable, Equatable, Sendable {
  /// From 1.
  public let epoch: Int
  /// The mean loss over the epoch's batches, in nats, each before its own step.
  public let loss: Double
  /// The share of the epoch's samples that were classified correctly, each before its own step.
  public let accuracy: Double
  /// The accuracy on the held-out images after the epoch; nil without a validation split.
  public var validationAccuracy: Double?
  /// The mean over rows of the largest entry of learned matrices, 1 for permutations; nil where none are learned.
  public var sharpness: Double?

  /// A record of an epoch.
  public init(
    epoch: Int, loss: Double, accuracy: Double, validationAccuracy: Double? = nil,
    sharpness: Double? = nil
  ) {
    self.epoch = epoch
    self.loss = loss
    self.accuracy = accuracy
    self.validationAccuracy = validationAccuracy
    self.sharpness = sharpness
  }

  /// Whether the network predicts no better than chance, after more than an epoch: it has collapsed.
  ///
  /// An epoch's average includes its first steps, so the first epoch says nothing.
  public func isCollapsed(classes: Int) -> Bool {
    epoch > 1 && accuracy < 1.5 / Double(classes)
  }
}

/// The mean loss in nats and the accuracy over an epoch's samples, each batch before its own step.
public struct EpochAverages: Equatable, Sendable {
  public var loss: Double
  public var accuracy: Double

  /// Means that were taken elsewhere.
  public init(loss: Double, accuracy: Double) {
    self.loss = loss
    self.accuracy = accuracy
  }
}
