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
        FineTune.weightDecay.declaration, FineTune.every.declaration,
      ]
    ) {
      FineTune(
        LearningSettings(
          epochs: $0[LearningSettings.epochs], learningRate: $0[FineTune.learningRate],
          schedule: $0[LearningSettings.schedule]),
        momentum: $0[FineTune.momentum], weightDecay: $0[FineTune.weightDecay],
        every: $0[FineTune.every], objective: objective, name: name)
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

  static let every = Setting(
    "every", 0, in: 0...1_000_000,
    "epochs that each member trains alone on its own images between means of all; 0 to add up gradients at every step"
  )

  public let settings: LearningSettings
  public let momentum: Float
  public let weightDecay: Float

  /// Epochs between means, where members have images of their own; 0 to take every step together.
  public let every: Int
  public let objective: MergeObjective

  /// As the user called it.
  public let name: String

  /// The method with its settings.
  public init(
    _ settings: LearningSettings, momentum: Float, weightDecay: Float, every: Int = 0,
    objective: MergeObjective, name: String
  ) {
    self.settings = settings
    self.momentum = momentum
    self.weightDecay = weightDecay
    self.every = every
    self.objective = objective
    self.name = name
  }

  public func apply(to state: inout MergeState, with resources: MergeResources) throws {
    let (batches, loss) = try objective.lesson(with: resources, for: name)
    guard every == 0 else { return try tuneApart(&state, batches, loss, resources) }
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

  // MARK: - Apart

  /// One member's images and the network that learns from them.
  private struct Local {
    let shard: Int
    var learner: Learner<GradientDescent>
    let advance: (inout Learner<GradientDescent>, Int) throws -> [EpochAverages]
  }

  private func tuneApart(
    _ state: inout MergeState, _ batches: any BatchSource, _ loss: any Loss,
    _ resources: MergeResources
  ) throws {
    guard batches.isSharded else {
      throw MergeError(
        "\(name)(every=\(every)): all learn from the same images; members train apart where each has its own"
          + " (--shards, --shard-data)")
    }
    let team = resources.team
    let counts = batches.shardCounts
    let total = Float(counts.reduce(0, +))
    var network = state.network
    var locals = counts.indices.filter { team.worker(of: $0) == team.rank }.map {
      local($0, batches.shard($0), network, loss, threads: resources.threads)
    }
    var history = MergeHistory(name)
    let length = network.parameters.count
    for start in stride(from: 0, to: settings.epochs, by: every) {
      let epochs = min(every, settings.epochs - start)
      var found = [[EpochAverages]](repeating: [], count: counts.count)
      let trained = Result {
        for place in locals.indices {
          found[locals[place].shard] = try locals[place].advance(
            &locals[place].learner, start + epochs)
        }
      }
      let networks = Dictionary(
        uniqueKeysWithValues: locals.map { ($0.shard, $0.learner.subject.network.parameters) })
      // Behind the parameters the means of each epoch's loss and accuracy.
      let sum = try team.reduce(counts.count, of: length + 2 * epochs, phase: "share gradients") {
        [found] shard -> [Float] in
        try trained.get()
        let share = Float(counts[shard]) / total
        let tail = found[shard].flatMap { [Float($0.loss), Float($0.accuracy)] }
        return ((networks[shard] ?? []) + tail).map { share * $0 }
      } _: {
        added($0)
      }
      network.parameters = Array(sum[..<length])
      for epoch in 0..<epochs {
        try history.append(
          start + epoch + 1,
          EpochAverages(
            loss: Double(sum[length + 2 * epoch]), accuracy: Double(sum[length + 2 * epoch + 1])),
          network, resources, rate: settings.learningRate)
      }
      for place in locals.indices {
        locals[place].learner.subject.network = network
        locals[place].learner.subject.velocity = Array(repeating: 0, count: length)
      }
      resources.onStep(start + epochs, settings.epochs)
    }
    state.replaceNetwork(by: network)
    state.note(history.epochs)
  }

  private func local(
    _ shard: Int, _ batches: some BatchSource, _ network: Network, _ loss: any Loss, threads: Int
  ) -> Local {
    let perEpoch = batches.batchesPerEpoch
    var course = Course(batches)
    return Local(
      shard: shard,
      learner: Learner(
        GradientDescent(
          network, learningRate: settings.learningRate, momentum: momentum,
          weightDecay: weightDecay),
        schedule: settings.schedule, steps: settings.epochs * perEpoch,
        batchSize: min(batches.batchSize, batches.sampleCount), threads: threads)
    ) { learner, epochs in
      var averages: [EpochAverages] = []
      try learner.advance(
        to: epochs * perEpoch, along: &course, minimizing: loss,
        endEpoch: { _, average, _ in averages.append(average) })
      return averages
    }
  }
}
