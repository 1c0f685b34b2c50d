import Networks

extension MergingMethod {
  public static let unitWeights = weighted("unit-weights", .labels, "from the labels")
  public static let unitWeightsEnsemble = weighted(
    "unit-weights-ensemble", .ensemble, "from the ensemble's predictions, without labels")
  public static let unitWeightsBoth = weighted(
    "unit-weights-both", .both, "from labels and predictions")

  private static func weighted(
    _ name: String, _ objective: MergeObjective, _ source: String
  ) -> MergingMethod {
    MergingMethod(
      name: name,
      summary: "a mean in which each unit has learned weights of the members, \(source)",
      needsData: true
    ) { WeightedAverage($0.unitWeights, objective: objective, name: name) }
  }
}

/// How the weights of a weighted average are learned.
public struct WeightedAverageSettings: Codable, Equatable, Sendable {
  public var epochs: Int

  /// Adam's base rate.
  public var learningRate: Float
  public var schedule: LearningRateSchedule

  /// Settings of the method.
  public init(epochs: Int, learningRate: Float, schedule: LearningRateSchedule) {
    self.epochs = epochs
    self.learningRate = learningRate
    self.schedule = schedule
  }
}

/// Averages members as they are lined up, with weights of the members that each unit learns for itself.
///
/// The members are permuted exactly and stay as they are; see ``UnitWeights`` for the mean. A step costs one forward and
/// backward pass of one network, and a pass over each member's parameters.
public struct WeightedAverage: Merger {
  public let settings: WeightedAverageSettings
  public let objective: MergeObjective

  /// As the user called it.
  public let name: String

  /// The method with its settings.
  public init(_ settings: WeightedAverageSettings, objective: MergeObjective, name: String) {
    self.settings = settings
    self.objective = objective
    self.name = name
  }

  public func apply(to merge: inout Merge, in context: MergeContext) throws {
    let (batches, loss) = try objective.lesson(in: context, for: name)
    let members = merge.alignedMembers.map(\.parameters)
    var weights = UnitWeights(
      merge.architecture, members: members.count, threads: context.threads)
    var network = merge.network
    let factors = [Float](repeating: 1, count: members.count)
    weights.merge(members, factors: factors, into: &network.parameters)
    var workspace = Workspace(
      merge.architecture, capacity: min(batches.batchSize, batches.sampleCount),
      threads: context.threads)
    var gradient = [Float](repeating: 0, count: network.parameters.count)
    var history = MergeHistory(name, rateOption: "--unit-learning-rate")

    try learn(from: batches, epochs: settings.epochs, onStep: context.onStep) {
      batch, step, total in
      network.forward(batch.inputs, rows: batch.count, workspace: &workspace)
      let value = loss.evaluate(batch, workspace: &workspace)
      network.backward(
        batch.inputs, rows: batch.count, workspace: &workspace, gradient: &gradient)
      weights.pullBack(gradient, members, factors: factors)
      weights.step(
        learningRate: settings.learningRate * settings.schedule.factor(step: step, of: total))
      weights.merge(members, factors: factors, into: &network.parameters)
      return value
    } endEpoch: { epoch, averages in
      try history.append(epoch, averages, network, context, rate: settings.learningRate)
    }
    merge.replaceNetwork(by: network)
    merge.history = history.epochs
  }
}
