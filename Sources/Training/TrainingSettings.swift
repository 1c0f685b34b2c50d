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

/// Learning that ran away: the loss is no longer a number.
public struct DivergenceError: Error, CustomStringConvertible {
  public let subject: String
  public let epoch: Int
  public let learningRate: Float

  /// An error about what learned.
  public init(subject: String, epoch: Int, learningRate: Float) {
    self.subject = subject
    self.epoch = epoch
    self.learningRate = learningRate
  }

  public var description: String {
    "\(subject): the loss became infinite or NaN in epoch \(epoch) at learning rate \(learningRate);"
      + " try a smaller --learning-rate"
  }
}
