import Networks

extension MergingMethod {
  public static let fineTune = MergingMethod(
    name: "fine-tune", summary: "further epochs of training of all weights, from the labels",
    needsData: true
  ) { FineTune($0.fineTuning, objective: .labels, name: "fine-tune") }

  public static let fineTuneBoth = MergingMethod(
    name: "fine-tune-both", summary: "the same from labels and the ensemble's predictions",
    needsData: true
  ) { FineTune($0.fineTuning, objective: .both, name: "fine-tune-both") }
}

/// How a merged network, or a member, is trained on.
public struct FineTuneSettings: Codable, Equatable, Sendable {
  public var epochs: Int

  /// SGD's base rate.
  public var learningRate: Float
  public var schedule: LearningRateSchedule
  public var momentum: Float
  public var weightDecay: Float

  /// Settings of the method.
  public init(
    epochs: Int, learningRate: Float, schedule: LearningRateSchedule, momentum: Float,
    weightDecay: Float
  ) {
    self.epochs = epochs
    self.learningRate = learningRate
    self.schedule = schedule
    self.momentum = momentum
    self.weightDecay = weightDecay
  }
}

/// Trains the network that a merge has come to, all of its weights.
///
/// After a merge it is distillation from a merged start. After `best-member` it is the control that every merge that learns is
/// to be held against: one member, trained for as many further epochs.
public struct FineTune: Merger {
  public let settings: FineTuneSettings
  public let objective: MergeObjective

  /// As the user called it.
  public let name: String

  /// The method with its settings.
  public init(_ settings: FineTuneSettings, objective: MergeObjective, name: String) {
    self.settings = settings
    self.objective = objective
    self.name = name
  }

  public func apply(to merge: inout Merge, in context: MergeContext) throws {
    let (batches, loss) = try objective.lesson(in: context, for: name)
    var network = merge.network
    var workspace = Workspace(
      merge.architecture, capacity: min(batches.batchSize, batches.sampleCount),
      threads: context.threads)
    var gradient = [Float](repeating: 0, count: network.parameters.count)
    var optimizer = SGD(
      count: gradient.count, momentum: settings.momentum, weightDecay: settings.weightDecay)
    var history = MergeHistory(name, rateOption: "--fine-tune-learning-rate")
    try learn(from: batches, epochs: settings.epochs, onStep: context.onStep) {
      batch, step, total in
      network.forward(batch.inputs, rows: batch.count, workspace: &workspace)
      let value = loss.evaluate(batch, workspace: &workspace)
      network.backward(
        batch.inputs, rows: batch.count, workspace: &workspace, gradient: &gradient)
      optimizer.step(
        &network.parameters, gradient: gradient,
        learningRate: settings.learningRate * settings.schedule.factor(step: step, of: total),
        threads: context.threads)
      return value
    } endEpoch: { epoch, averages in
      try history.append(epoch, averages, network, context, rate: settings.learningRate)
    }
    merge.replaceNetwork(by: network)
    merge.history = history.epochs
  }
}
