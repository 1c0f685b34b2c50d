import Foundation
import Networks

extension MergingMethod {
  /// The method this project is named after.
  public static let permavg = MergingMethod(
    name: "permavg",
    summary: "the mean after permutations learned by Sinkhorn and gradient descent", needsData: true
  ) { PermAVG($0.permAVG) }

  public static let permavgLabels = MergingMethod(
    name: "permavg-labels",
    summary: "permavg from the labels, with learned weights of each unit", needsData: true
  ) { PermAVG($0.learning, objective: .labels, name: "permavg-labels") }

  public static let permavgEnsemble = MergingMethod(
    name: "permavg-ensemble",
    summary: "the same from the ensemble's predictions, without labels", needsData: true
  ) { PermAVG($0.learning, objective: .ensemble, name: "permavg-ensemble") }

  public static let permavgBoth = MergingMethod(
    name: "permavg-both", summary: "the same from labels and predictions", needsData: true
  ) { PermAVG($0.learning, objective: .both, name: "permavg-both") }
}

/// How PermAVG learns.
public struct PermAVGSettings: Codable, Equatable, Sendable {
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

/// PermAVG: averages the members after permutations of their hidden units that are learned.
///
/// Each member but the first has a matrix of logits X for each hidden layer, and
/// P = Sinkhorn(exp(X/τ) + ε); the members stay as they are, and Adam changes X to lower the training
/// loss of the merged network. X starts as the identity, as in the thesis, or near the permutations that
/// a step before has found. The variants are the merge by the soft matrices, and the one by the
/// permutations nearest to them (linear assignment).
///
/// Past the thesis: each unit of the merged network may learn its own weights of the members; the loss may be the divergence from the ensemble instead of the
/// labels'; τ may anneal; and each step may draw the members' shares.
public struct PermAVG: Merger {
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

  public func apply(to merge: inout Merge, in context: MergeContext) throws {
    let (batches, loss) = try objective.lesson(in: context, for: name)
    let architecture = merge.architecture
    // Members that are lined up already start near the identity, others at the thesis' X = I.
    let start = merge.isAligned ? merge.permutations : nil
    let members = start == nil ? merge.members : merge.alignedMembers
    var learner = PermutationLearner(
      members, architecture: architecture, settings: settings,
      batchSize: min(batches.batchSize, batches.sampleCount), threads: context.threads,
      logits: start == nil ? nil : alignedLogits(architecture, count: members.count - 1))
    learner.loss = loss
    merge.history = try learn(with: &learner, from: batches, context)

    let identity = architecture.hiddenWidths.map { Matrix.identity($0) }
    var matrices = [identity] + learner.permutations
    if let start {
      matrices = zip(matrices, start).map { zip($0, $1).map(mixing(_:after:)) }
    }
    merge.mix(by: matrices, into: learner.network) { learner.average(of: $0) }
  }

  /// c I, with c such that each unit starts with a share of ``PermAVGSettings/alignedShare`` in its own
  /// place.
  private func alignedLogits(_ architecture: Architecture, count: Int) -> [[Matrix]] {
    let share = settings.alignedShare
    let layer = architecture.hiddenWidths.map { width in
      var logits = Matrix.identity(width)
      let scale =
        settings.sinkhorn.temperature * logf(share / (1 - share) * Float(max(width - 1, 1)))
      for i in 0..<width { logits[i, i] = scale }
      return logits
    }
    return Array(repeating: layer, count: count)
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
    with learner: inout PermutationLearner, from batches: some BatchSource, _ context: MergeContext
  ) throws -> [MergeEpoch] {
    var history = MergeHistory(name, rateOption: "--permavg-learning-rate")
    var random = RandomStream(seed: context.seed, "\(name) shares")
    try Networks.learn(from: batches, epochs: settings.epochs, onStep: context.onStep) {
      batch, step, total in
      if let final = settings.finalTemperature {
        let start = settings.sinkhorn.temperature
        learner.temperature = start * powf(final / start, Float(step) / Float(max(total - 1, 1)))
      }
      if let concentration = settings.dirichlet {
        learner.drawShares(concentration: concentration, from: &random)
      }
      return learner.step(batch, factor: settings.schedule.factor(step: step, of: total))
    } endEpoch: { epoch, averages in
      learner.shareEqually()
      try history.append(
        epoch, averages, learner.network, context, rate: settings.learningRate,
        sharpness: learner.sharpness)
    }
    return history.epochs
  }
}
