import Foundation
import Tensors

/// Hinton, Vinyals & Dean's distillation loss (2015): soft targets of a teacher, and the labels.
///
/// α T² KL(q ‖ softmax(z/T)) + (1 − α) CE(y, softmax(z)), with the teacher's probabilities q at
/// temperature T in the batch's `targets`. Its gradient is
/// [α T (softmax(z/T) − q) + (1 − α)(softmax(z) − onehot(y))] / batch; the factor T² keeps the soft
/// term's gradient at one scale as T grows.
public struct DistillationLoss: Loss {
  /// The weight of the soft targets, between 0 and 1.
  public let alpha: Float

  /// Divides the logits; the targets must have been made at the same temperature.
  public let temperature: Float

  /// A loss of the given weight and temperature.
  public init(alpha: Float, temperature: Float) {
    self.alpha = alpha
    self.temperature = temperature
  }

  public func evaluate(_ batch: Batch, workspace: inout Workspace) -> LossValue {
    let classes = workspace.graph.outputs
    precondition(batch.targets.count >= batch.count * classes, "distillation without targets")
    let scale = 1 / Float(batch.count)
    let (alpha, temperature) = (alpha, temperature)
    var loss = 0.0
    var correct = 0
    var soft = [Float](repeating: 0, count: classes)
    workspace.forEachLogitRow(rows: batch.count) { row, z, gradient in
      let label = batch.labels[row]
      let logSum = softmaxRow(z, classes: classes, inverseTemperature: 1, into: gradient)
      let softLogSum = softmaxRow(
        z, classes: classes, inverseTemperature: 1 / temperature, into: &soft)
      var divergence: Float = 0
      for c in 0..<classes {
        let q = batch.targets[row * classes + c]
        if q > 0 { divergence += q * (logf(q) - z[c] / temperature + softLogSum) }
        let hard = gradient[c] - (c == label ? 1 : 0)
        gradient[c] = scale * (alpha * temperature * (soft[c] - q) + (1 - alpha) * hard)
      }
      loss += Double(
        alpha * temperature * temperature * divergence + (1 - alpha) * (logSum - z[label]))
      correct += indexOfLargest(z, count: classes) == label ? 1 : 0
    }
    return LossValue(loss: loss / Double(batch.count), correct: correct)
  }
}
