import Networks

/// How a network is trained by stochastic gradient descent.
public struct TrainingSettings: Codable, Equatable, Sendable {
  public var epochs: Int
  /// Samples a step.
  public var batchSize: Int
  public var learningRate: Float
  public var schedule: LearningRateSchedule
  public var momentum: Float
  public var weightDecay: Float
  /// Whether training images are mirrored left to right with probability one half.
  public var flips: Bool

  /// Settings of a training run.
  public init(
    epochs: Int, batchSize: Int, learningRate: Float, schedule: LearningRateSchedule,
    momentum: Float, weightDecay: Float, flips: Bool
  ) {
    self.epochs = epochs
    self.batchSize = batchSize
    self.learningRate = learningRate
    self.schedule = schedule
    self.momentum = momentum
    self.weightDecay = weightDecay
    self.flips = flips
  }
}

/// What one epoch of learning came to.
public struct EpochRecord: Codable, Equatable, Sendable {
  /// From 1.
  public let epoch: Int
  /// The mean loss over the epoch's batches, in nats, each before its own step.
  public let loss: Double
  /// The share of the epoch's samples that were classified correctly, each before its own step.
  public let accuracy: Double
  /// The accuracy on the held-out images after the epoch; nil without a validation split.
  public var validationAccuracy: Double?

  /// A record of an epoch.
  public init(epoch: Int, loss: Double, accuracy: Double, validationAccuracy: Double? = nil) {
    self.epoch = epoch
    self.loss = loss
    self.accuracy = accuracy
    self.validationAccuracy = validationAccuracy
  }
}

/// Learning that ran away: the loss is no longer a number.
public struct DivergenceError: Error, CustomStringConvertible {
  public let subject: String
  public let epoch: Int
  public let learningRate: Float

  public var description: String {
    "\(subject): the loss became infinite or NaN in epoch \(epoch) at learning rate \(learningRate);"
      + " try a smaller --learning-rate"
  }
}
