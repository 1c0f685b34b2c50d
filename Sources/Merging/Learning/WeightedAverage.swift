import Networks
import Tensors

extension MergeMethod {
  public static let unitWeights = weighted("unit-weights", .labels, "from the labels")
  public static let unitWeightsEnsemble = weighted(
    "unit-weights-ensemble", .ensemble,
    "from the ensemble's predictions at temperature 3, without labels")
  public static let unitWeightsBoth = weighted(
    "unit-weights-both", .both, "from labels and predictions")

  private static func weighted(
    _ name: String, _ objective: MergeObjective, _ source: String
  ) -> MergeMethod {
    MergeMethod(
      name, "a mean in which each unit has learned weights of the members, \(source)",
      needs: objective.needs, isShared: true, folds: true,
      settings: [
        LearningSettings.epochs.declaration, WeightedAverage.learningRate.declaration,
        LearningSettings.schedule.declaration,
      ]
    ) {
      WeightedAverage(
        LearningSettings(
          epochs: $0[LearningSettings.epochs], learningRate: $0[WeightedAverage.learningRate],
          schedule: $0[LearningSettings.schedule]),
        objective: objective, name: name)
    }
  }
}

/// How long a step learns, and how fast.
public struct LearningSettings: Equatable, Sendable {
  static let epochs = Setting("epochs", 5, in: 0...1_000_000, "passes over the training images")
  static let schedule = Setting("schedule", LearningRateSchedule.cosine, "how the rates change")

  public var epochs: Int

  /// The optimiser's base rate.
  public var learningRate: Float
  public var schedule: LearningRateSchedule

  /// Settings of a step that learns.
  public init(epochs: Int, learningRate: Float, schedule: LearningRateSchedule) {
    self.epochs = epochs
    self.learningRate = learningRate
    self.schedule = schedule
  }
}

/// Averages members as they are lined up, with weights of the members that each unit learns for itself.
///
/// The members are permuted exactly and stay as they are; see `UnitWeights` for the mean. A step costs one forward and
/// backward pass of one network, and a pass over each member's parameters; a team shares both.
public struct WeightedAverage: MergeStep {
  static let learningRate = Setting.rate(
    "learning-rate", 0.01, "Adam's base rate on each unit's weights of the members")

  public let settings: LearningSettings
  public let objective: MergeObjective

  /// As the user called it.
  public let name: String

  /// The method with its settings.
  public init(_ settings: LearningSettings, objective: MergeObjective, name: String) {
    self.settings = settings
    self.objective = objective
    self.name = name
  }

  public func apply(to state: inout MergeState, with resources: MergeResources) throws {
    let (batches, loss) = try objective.lesson(with: resources, for: name)
    var learner = Learner(
      try UnitWeightedMean(
        state.alignedMembers, learningRate: settings.learningRate,
        with: batches.isSharded ? ThreadTeam(threads: resources.threads) : resources.team),
      schedule: settings.schedule, steps: settings.epochs * batches.batchesPerEpoch,
      batchSize: min(batches.batchSize, batches.sampleCount), threads: resources.threads)
    var history = MergeHistory(name)
    try learner.learn(
      from: batches, minimizing: loss, with: resources.team, onStep: resources.onStep,
      endEpoch: { epoch, averages, mean in
        try history.append(
          epoch, averages, mean.network, resources, rate: settings.learningRate)
      })
    state.replaceNetwork(by: learner.subject.network)
    state.note(history.epochs)
  }
}

/// The mean by learned unit weights, as something that learns.
struct UnitWeightedMean: Learnable {
  var network: Network
  private let members: [[Float]]
  private let factors: [Float]
  private let learningRate: Float
  private var weights: UnitWeights

  init(_ members: [Network], learningRate: Float, with team: any Team) throws {
    self.members = members.map(\.parameters)
    self.learningRate = learningRate
    factors = members.map { _ in 1 }
    weights = UnitWeights(members[0].graph, members: members.count)
    network = members[0]
    network.buffers = mean(of: members.map(\.buffers))
    try weights.merge(self.members, factors: factors, into: &network.parameters, with: team)
  }

  mutating func move(against gradient: [Float], factor: Float, with team: any Team) throws {
    try weights.pullBack(gradient, members, factors: factors, with: team)
    weights.step(learningRate: learningRate * factor)
    try weights.merge(members, factors: factors, into: &network.parameters, with: team)
  }

  // Where samples are sharded the unit weights' gradients travel, some hundredths of the network's.
  var contributionCount: Int { weights.values.count }

  func contribution(of gradient: [Float]) -> [Float] {
    weights.gradient(of: gradient, members, factors: factors)
  }

  mutating func move(againstSum sum: [Float], factor: Float, with team: any Team) throws {
    weights.set(gradient: sum)
    weights.step(learningRate: learningRate * factor)
    try weights.merge(
      members, factors: factors, into: &network.parameters, with: ThreadTeam(threads: team.threads))
  }

  var state: [LearnerState.Array] {
    [.init("parameters", network.parameters), .init("buffers", network.buffers)] + weights.state
  }

  mutating func restore(_ state: LearnerState) throws(LearnerStateError) {
    let parameters = try state.array("parameters", count: network.parameters.count)
    let buffers = try state.array("buffers", count: network.buffers.count)
    try weights.restore(state)
    (network.parameters, network.buffers) = (parameters, buffers)
  }
}
