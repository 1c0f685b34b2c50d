import Foundation
import Networks

extension MergingMethod {
  /// The method this project is named after.
  public static let permavg = MergingMethod(
    name: "permavg",
    summary: "the mean after permutations learned by Sinkhorn and gradient descent", needsData: true
  ) { PermAVG($0.permAVG) }
}

/// How PermAVG learns.
public struct PermAVGSettings: Codable, Equatable, Sendable {
  public var epochs: Int

  /// Adam's rate on the logits X.
  public var learningRate: Float
  public var schedule: LearningRateSchedule
  public var sinkhorn: SinkhornSettings

  /// How much of a unit is in its own place at the start, if a step before has lined the members up: above 0 and
  /// below 1.
  public var alignedShare: Float

  /// Settings of the method.
  public init(
    epochs: Int, learningRate: Float, schedule: LearningRateSchedule, sinkhorn: SinkhornSettings,
    alignedShare: Float = 0.9
  ) {
    self.epochs = epochs
    self.learningRate = learningRate
    self.schedule = schedule
    self.sinkhorn = sinkhorn
    self.alignedShare = alignedShare
  }
}

/// PermAVG: averages the members after permutations of their hidden units that are learned.
///
/// Each member but the first has a matrix of logits X for each hidden layer, and
/// P = Sinkhorn(exp(X/τ) + ε); the members stay as they are, and Adam changes X to lower the training
/// loss of the merged network. X starts as the identity, as in the thesis, or near the permutations that a
/// step before has found. The variants are the merge by the soft matrices, and the one by the permutations nearest to
/// them (linear assignment).
public struct PermAVG: Merger {
  public let settings: PermAVGSettings

  /// The method with its settings.
  public init(_ settings: PermAVGSettings) { self.settings = settings }

  public func apply(to merge: inout Merge, in context: MergeContext) throws {
    guard let batches = context.batches else {
      throw MergeError("permavg learns from training data, and there is none")
    }
    let architecture = merge.architecture
    // Members that are lined up already start near the identity, others at the thesis' X = I.
    let start = merge.isAligned ? merge.permutations : nil
    let members = start == nil ? merge.members : merge.alignedMembers
    var learner = PermutationLearner(
      members, architecture: architecture, settings: settings,
      batchSize: min(batches.batchSize, batches.sampleCount), threads: context.threads,
      logits: start == nil ? nil : alignedLogits(architecture, count: members.count - 1))
    merge.history = try learn(&learner, from: batches, context)

    let identity = architecture.hiddenWidths.map { Matrix.identity($0) }
    var matrices = [identity] + learner.permutations
    if let start {
      matrices = zip(matrices, start).map { zip($0, $1).map(mixing(_:after:)) }
    }
    merge.mix(by: matrices, into: learner.network)
  }

  /// c I, with c such that each unit starts with a share of ``PermAVGSettings/alignedShare`` in its own place.
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
    _ learner: inout PermutationLearner, from source: some BatchSource, _ context: MergeContext
  ) throws -> [MergeEpoch] {
    var batches = source
    var batch = Batch(
      capacity: min(batches.batchSize, batches.sampleCount), features: batches.features)
    let total = settings.epochs * batches.batchesPerEpoch
    var step = 0
    var history: [MergeEpoch] = []
    for epoch in stride(from: 1, through: settings.epochs, by: 1) {
      batches.startEpoch(epoch)
      var lossSum = 0.0
      var correct = 0
      for index in 0..<batches.batchesPerEpoch {
        batches.fill(&batch, with: index)
        let rate = settings.learningRate * settings.schedule.factor(step: step, of: total)
        let value = learner.step(batch, learningRate: rate)
        lossSum += value.loss * Double(batch.count)
        correct += value.correct
        step += 1
        context.onStep(step, total)
      }
      let samples = Double(batches.sampleCount)
      guard lossSum.isFinite, learner.network.isFinite else {
        throw MergeError(
          "permavg: the loss became infinite or NaN in epoch \(epoch) at learning rate"
            + " \(settings.learningRate); try a smaller --permavg-learning-rate")
      }
      history.append(
        MergeEpoch(
          epoch: epoch, loss: lossSum / samples, accuracy: Double(correct) / samples,
          validationAccuracy: context.validate?(learner.network), sharpness: learner.sharpness))
    }
    return history
  }
}
