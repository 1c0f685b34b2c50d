import Tensors

/// What a network is trained to make small.
public protocol Loss: Sendable {
  /// Computes the mean loss of a batch, and its gradient with respect to the logits.
  ///
  /// - Parameters:
  ///   - batch: the labels and, if the loss needs them, target probabilities.
  ///   - workspace: holds the logits of the batch; its logit gradient is written.
  /// - Returns: the loss in nats, the mean over the batch, and how many samples the largest logit
  ///   classifies correctly.
  func evaluate(_ batch: Batch, workspace: inout Workspace) -> LossValue
}

/// A batch's mean loss in nats, and how many of its samples were classified correctly.
public struct LossValue: Equatable, Sendable {
  public var loss: Double
  public var correct: Int

  /// A value of a loss.
  public init(loss: Double, correct: Int) {
    self.loss = loss
    self.correct = correct
  }
}

/// The lowest index of the largest of some numbers.
@inline(__always)
func indexOfLargest(_ values: UnsafePointer<Float>, count: Int) -> Int {
  var best = 0
  for i in 1..<max(count, 1) where values[i] > values[best] { best = i }
  return best
}
