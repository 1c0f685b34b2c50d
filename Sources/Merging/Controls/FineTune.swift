import Networks

extension MergeMethod {
  public static let fineTune = tuning(
    "fine-tune", .labels, "further epochs of training of all weights, from the labels")
  public static let fineTuneBoth = tuning(
    "fine-tune-both", .both, "the same from labels and the ensemble's predictions")

  private static func tuning(
    _ name: String, _ objective: MergeObjective, _ summary: String
  ) -> MergeMethod {
    MergeMethod(
      name, summary, needs: objective.needs,
      othersNeed: { _, _ in objective.needs == .trainingData ? .network : .members },
      settings: [
        LearningSettings.epochs.declaration, FineTune.learningRate.declaration,
        LearningSettings.schedule.declaration, FineTune.momentum.declaration,
        FineTune.weightDecay.declaration,
      ]
    ) {
      FineTune(
        LearningSettings(
          epochs: $0[LearningSettings.epochs], learningRate: $0[FineTune.learningRate],
          schedule: $0[LearningSettings.schedule]),
        momentum: $0[FineTune.momentum], weightDecay: $0[FineTune.weightDecay],
        objective: objective, name: name)
    }
  }
}

/// Trains the network that a merge has come to, all of its weights.
///
/// After a merge it is distillation from a merged start. After `best-member` it is the control that every merge that learns is
/// to be held against: one member, trained for as many further epochs.
public struct FineTune: MergeStep {
  static let learningRate = Setting.rate("learning-rate", 0.1, "SGD's base rate")
  static let momentum = Setting<Float>("momentum", 0.9, "from 0 to below 1", "SGD's") {
    (0..<1).contains($0)
  }
  static let weightDecay = Setting<Float>("weight-decay", 1e-5, "0 or more", "SGD's") { $0 >= 0 }

  public let settings: LearningSettings
  public let momentum: Float
  public let weightDecay: Float
  public let objective: MergeObjective

  /// As the user called it.
  public let name: String

  /// The method with its settings.
  public init(
    _ settings: LearningSettings, momentum: Float, weightDecay: Float, objective: MergeObjective,
    name: String
  ) {
    self.settings = settings
    self.momentum = momentum
    self.weightDecay = weightDecay
    self.objective = objective
    self.name = name
  }

  public func apply(to state: inout MergeState, with resources: MergeResources) throws {
    let (batches, loss) = try objective.lesson(with: resources, for: name)
    var learner = Learner(
      GradientDescent(
        state.network, learningRate: settings.learningRate, momentum: momentum,
        weightDecay: weightDecay),
      schedule: settings.schedule, steps: settings.epochs * batches.batchesPerEpoch,
      batchSize: min(batches.batchSize, batches.sampleCount), threads: resources.threads)
    var history = MergeHistory(name)
    try learner.learn(
      from: batches, minimizing: loss, withTeamIfSharded: resources.team,
      onStep: resources.onStep,
      endEpoch: { epoch, averages, subject in
        try history.append(
          epoch, averages, subject.network, resources, rate: settings.learningRate)
      })
    state.replaceNetwork(by: learner.subject.network)
    state.note(history.epochs)
  }
}
