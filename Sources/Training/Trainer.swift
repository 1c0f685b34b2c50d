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

  /// Gives the accuracy on held-out images after each epoch, if any are held out.
  public var validate: ((Network) -> Double)?

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
    let capacity = min(batches.batchSize, batches.sampleCount)
    var workspace = Workspace(network.architecture, capacity: capacity, threads: threads)
    var gradient = [Float](repeating: 0, count: network.parameters.count)
    var optimizer = SGD(
      count: network.parameters.count, momentum: settings.momentum,
      weightDecay: settings.weightDecay)
    var records: [EpochRecord] = []
    try learn(from: batches, epochs: settings.epochs, onStep: onBatch) { batch, step, total in
      network.forward(batch.inputs, rows: batch.count, workspace: &workspace)
      let value = loss.evaluate(batch, workspace: &workspace)
      network.backward(
        batch.inputs, rows: batch.count, workspace: &workspace, gradient: &gradient)
      optimizer.step(
        &network.parameters, gradient: gradient,
        learningRate: settings.learningRate * settings.schedule.factor(step: step, of: total),
        threads: threads)
      return value
    } endEpoch: { epoch, averages in
      guard averages.loss.isFinite, network.isFinite else {
        throw DivergenceError(
          subject: subject, epoch: epoch, learningRate: settings.learningRate)
      }
      records.append(
        EpochRecord(
          epoch: epoch, loss: averages.loss, accuracy: averages.accuracy,
          validationAccuracy: validate?(network)))
    }
    return records
  }
}
