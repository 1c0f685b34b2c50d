import Networks

/// Trains one network; knows nothing of other members, of ranks or of files.
public struct Trainer {
  public let settings: TrainingSettings

  /// What is being trained, for error messages: `member 3`.
  public let subject: String

  /// How many threads a step may use; the bits do not depend on it.
  public var threads = 1

  /// Called after each batch with the number done and the number there will be.
  public var onBatch: (Int, Int) -> Void = { _, _ in }

  /// Longer gradients are scaled down to this norm; nil for none.
  public var maximumGradientNorm: Float?

  /// Called once, with the epoch's record, if the network is found to predict no better than chance.
  public var onCollapse: (EpochRecord) -> Void = { _ in }

  /// Gives the accuracy on held-out images after each epoch, if any are held out.
  public var validate: ((Network) throws -> Double)?

  /// Who shares the steps where batches are sharded.
  public var team: any Team = ThreadTeam()

  /// A trainer.
  public init(_ settings: TrainingSettings, subject: String) {
    self.settings = settings
    self.subject = subject
  }

  /// Runs all epochs of SGD.
  ///
  /// - Parameters:
  ///   - network: trained in place.
  ///   - batches: where the samples come from.
  ///   - loss: what is made small.
  /// - Returns: a record an epoch.
  /// - Throws: ``DivergenceError`` if the loss stops being a finite number.
  public func train(
    _ network: inout Network, on batches: some BatchSource, minimizing loss: some Loss
  ) throws -> [EpochRecord] {
    var learner = Learner(
      GradientDescent(
        network, learningRate: settings.learningRate, momentum: settings.momentum,
        weightDecay: settings.weightDecay, maximumNorm: maximumGradientNorm),
      schedule: settings.schedule, steps: settings.epochs * batches.batchesPerEpoch,
      batchSize: min(batches.batchSize, batches.sampleCount), threads: threads)
    let classes = network.graph.outputs
    var records: [EpochRecord] = []
    try learner.learn(
      from: batches, minimizing: loss, withTeamIfSharded: team, onStep: onBatch,
      endEpoch: { epoch, averages, subject in
        guard averages.loss.isFinite, subject.network.isFinite else {
          throw DivergenceError(
            subject: self.subject, epoch: epoch, learningRate: settings.learningRate)
        }
        let record = EpochRecord(
          epoch: epoch, loss: averages.loss, accuracy: averages.accuracy,
          validationAccuracy: try validate?(subject.network))
        if record.isCollapsed(classes: classes),
          !records.contains(where: { $0.isCollapsed(classes: classes) })
        {
          onCollapse(record)
        }
        records.append(record)
      })
    network = learner.subject.network
    return records
  }
}
