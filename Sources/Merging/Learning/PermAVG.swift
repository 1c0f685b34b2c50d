import Foundation
import Networks
import Tensors

extension MergeMethod {
  /// The method this project is named after.
  public static let permavg = learning(
    "permavg", .labels, PermAVGSettings.thesis,
    "the mean after permutations learned by Sinkhorn and gradient descent")
  public static let permavgLabels = learning(
    "permavg-labels", .labels, PermAVGSettings.withUnitWeights,
    "permavg from the labels, with learned weights of each unit")
  public static let permavgEnsemble = learning(
    "permavg-ensemble", .ensemble, PermAVGSettings.withUnitWeights,
    "the same from the ensemble's predictions at temperature 3, without labels")
  public static let permavgBoth = learning(
    "permavg-both", .both, PermAVGSettings.withUnitWeights,
    "the same from labels and predictions")

  private static func learning(
    _ name: String, _ objective: MergeObjective, _ defaults: PermAVGSettings, _ summary: String
  ) -> MergeMethod {
    let keys = PermAVGSettings.Keys(defaults)
    return MergeMethod(
      name, summary, needs: objective.needs, folds: true,
      obstacle: { graph in
        graph.hasSimpleGroups
          ? nil
          : "the networks have convolutions of groups of channels, whose units this method cannot mix;"
            + " unit-weights learns a mean of them"
      }, settings: keys.declarations
    ) {
      PermAVG(keys.settings($0), objective: objective, name: name)
    }
  }
}

/// How PermAVG learns.
public struct PermAVGSettings: Equatable, Sendable {
  public var epochs: Int

  /// Adam's rate on the logits X.
  public var learningRate: Float
  public var schedule: LearningRateSchedule
  public var sinkhorn: SinkhornSettings

  /// How much of a unit is in its own place at the start, if a step before has lined the members up:
  /// above 0 and below 1.
  public var alignedShare: Float

  /// Adam's rate on the weights that each unit gives the members; nil for equal ones.
  public var unitLearningRate: Float?

  /// The temperature at the end, which is come to from the first one by equal factors; nil to keep that.
  public var finalTemperature: Float?

  /// The concentration of the Dirichlet distribution that each step draws the members' shares in the
  /// mean from; nil for equal shares.
  public var dirichlet: Float?

  /// Settings of the method.
  public init(
    epochs: Int, learningRate: Float, schedule: LearningRateSchedule, sinkhorn: SinkhornSettings,
    alignedShare: Float = 0.9, unitLearningRate: Float? = nil, finalTemperature: Float? = nil,
    dirichlet: Float? = nil
  ) {
    self.epochs = epochs
    self.learningRate = learningRate
    self.schedule = schedule
    self.sinkhorn = sinkhorn
    self.alignedShare = alignedShare
    self.unitLearningRate = unitLearningRate
    self.finalTemperature = finalTemperature
    self.dirichlet = dirichlet
  }
}

extension PermAVGSettings {
  /// The thesis' settings but for its schedule; not in the thesis: the tolerance, at which Sinkhorn stops before its 100
  /// iterations.
  public static let thesis = PermAVGSettings(
    epochs: 20, learningRate: 0.1, schedule: .cosine,
    sinkhorn: SinkhornSettings(temperature: 1, epsilon: 1e-3, iterations: 100, tolerance: 1e-4))

  /// What goes past the thesis: a quarter of the epochs, and weights of each unit.
  static let withUnitWeights = {
    var settings = thesis
    settings.epochs = 5
    settings.unitLearningRate = 0.01
    return settings
  }()

  /// The settings by name, with some defaults.
  fileprivate struct Keys: Sendable {
    let epochs: Setting<Int>
    let learningRate: Setting<Float>
    let schedule: Setting<LearningRateSchedule>
    let temperature: Setting<Float>
    let iterations: Setting<Int>
    let alignedShare: Setting<Float>
    let unitRate: Setting<Float?>
    let finalTemperature: Setting<Float?>
    let dirichlet: Setting<Float?>
    private let defaults: PermAVGSettings

    init(_ defaults: PermAVGSettings) {
      let isTemperature: @Sendable (Float) -> Bool = { (1e-3...1e6).contains($0) }
      self.defaults = defaults
      epochs = Setting(
        "epochs", defaults.epochs, in: 0...1_000_000, "passes over the training images")
      learningRate = .rate(
        "learning-rate", defaults.learningRate, "Adam's base rate on the logits")
      schedule = Setting("schedule", defaults.schedule, "how the rates change")
      temperature = Setting(
        "temperature", defaults.sinkhorn.temperature, "0.001 to 1000000",
        "divides the logits before Sinkhorn", where: isTemperature)
      iterations = Setting(
        "iterations", defaults.sinkhorn.iterations, in: 1...1_000_000,
        "the most row and column normalisations a step")
      alignedShare = Setting(
        "aligned-share", defaults.alignedShare, "above 0 and below 1",
        "how much of a unit stays in its place at first, if members were lined up before",
        where: { $0 > 0 && $0 < 1 })
      unitRate = Setting(
        "unit-rate", defaults.unitLearningRate, "a number above 0",
        "Adam's base rate on each unit's weights of the members", where: { $0 > 0 })
      finalTemperature = Setting(
        "final-temperature", defaults.finalTemperature, "0.001 to 1000000",
        "the temperature that is annealed to", where: isTemperature)
      dirichlet = Setting(
        "dirichlet", defaults.dirichlet, "0.001 to 1000000",
        "concentration of the distribution that each step draws the members' shares from",
        where: isTemperature)
    }

    var declarations: [SettingDeclaration] {
      [
        epochs.declaration, learningRate.declaration, schedule.declaration,
        temperature.declaration, iterations.declaration, alignedShare.declaration,
        unitRate.declaration, finalTemperature.declaration, dirichlet.declaration,
      ]
    }

    func settings(_ values: SettingValues) -> PermAVGSettings {
      var sinkhorn = defaults.sinkhorn
      sinkhorn.temperature = values[temperature]
      sinkhorn.iterations = values[iterations]
      return PermAVGSettings(
        epochs: values[epochs], learningRate: values[learningRate], schedule: values[schedule],
        sinkhorn: sinkhorn, alignedShare: values[alignedShare], unitLearningRate: values[unitRate],
        finalTemperature: values[finalTemperature], dirichlet: values[dirichlet])
    }
  }
}

/// PermAVG: averages the members after permutations of their hidden units that are learned.
///
/// Each member but the first has a matrix of logits X for each group of hidden units, and
/// P = Sinkhorn(exp(X/τ) + ε); the members stay as they are, and Adam changes X to lower the training
/// loss of the merged network. X starts as the identity, as in the thesis, or near the permutations that
/// a step before has found. The variants are the merge by the soft matrices, and the one by the
/// permutations nearest to them (linear assignment).
///
/// Past the thesis: each unit of the merged network may learn its own weights of the members; the loss may be the divergence from the ensemble instead of the
/// labels'; τ may anneal; and each step may draw the members' shares.
public struct PermAVG: MergeStep {
  public let settings: PermAVGSettings
  public let objective: MergeObjective

  /// As the user called it.
  public let name: String

  /// The method with its settings.
  public init(
    _ settings: PermAVGSettings, objective: MergeObjective = .labels, name: String = "permavg"
  ) {
    self.settings = settings
    self.objective = objective
    self.name = name
  }

  public func apply(to state: inout MergeState, with resources: MergeResources) throws {
    let (batches, loss) = try objective.lesson(with: resources, for: name)
    let symmetry = state.graph.symmetry
    // Members that are lined up already start near the identity, others at the thesis' X = I.
    let start = state.isAligned ? state.alignment : nil
    let members = start == nil ? state.members : state.alignedMembers
    var learner = Learner(
      try PermutationLearner(
        members, settings: settings, threads: resources.threads,
        logits: start == nil ? nil : alignedLogits(symmetry, count: members.count - 1)),
      schedule: settings.schedule, steps: settings.epochs * batches.batchesPerEpoch,
      batchSize: min(batches.batchSize, batches.sampleCount), threads: resources.threads)
    state.note(try learn(with: &learner, from: batches, minimizing: loss, resources))

    let identity = symmetry.groups.map { Matrix.identity($0.count) }
    var matrices = [identity] + learner.subject.permutations
    if let start {
      matrices = zip(matrices, start.permutations).map { zip($0, $1).map(mixing(_:after:)) }
    }
    try state.mix(by: matrices, into: learner.subject.network) {
      try learner.subject.average(of: $0)
    }
  }

  /// c I, with c such that each unit starts with a share of ``PermAVGSettings/alignedShare`` in its own
  /// place.
  private func alignedLogits(_ symmetry: Symmetry, count: Int) -> [[Matrix]] {
    let share = settings.alignedShare
    let groups = symmetry.groups.map { group in
      var logits = Matrix.identity(group.count)
      let scale =
        settings.sinkhorn.temperature * logf(share / (1 - share) * Float(max(group.count - 1, 1)))
      for i in 0..<group.count { logits[i, i] = scale }
      return logits
    }
    return Array(repeating: groups, count: count)
  }

  /// The product P A of a matrix and a permutation.
  private func mixing(_ matrix: Matrix, after permutation: Permutation) -> Matrix {
    var result = matrix
    for row in 0..<matrix.rows {
      for (column, target) in permutation.indices.enumerated() {
        result[row, target] = matrix[row, column]
      }
    }
    return result
  }

  private func learn(
    with learner: inout Learner<PermutationLearner>, from batches: some BatchSource,
    minimizing loss: any Loss, _ resources: MergeResources
  ) throws -> [EpochRecord] {
    var history = MergeHistory(name)
    let steps = learner.steps
    try learner.learn(
      from: batches, minimizing: loss, withTeamIfSharded: resources.team,
      onStep: resources.onStep,
      beforeStep: { subject, step in
        if let final = settings.finalTemperature {
          let start = settings.sinkhorn.temperature
          subject.temperature =
            start * powf(final / start, Float(step) / Float(max(steps - 1, 1)))
        }
        if let concentration = settings.dirichlet {
          var random = RandomStream(seed: resources.seed, "\(name) shares", step)
          try subject.drawShares(concentration: concentration, from: &random)
        }
      },
      endEpoch: { epoch, averages, subject in
        try subject.shareEqually()
        try history.append(
          epoch, averages, subject.network, resources, rate: settings.learningRate,
          sharpness: subject.sharpness)
      })
    return history.epochs
  }
}
