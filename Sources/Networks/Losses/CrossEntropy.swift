import Tensors

/// Softmax cross entropy with the labels: −log softmax(z)_y.
///
/// Its gradient is (softmax(z) − onehot(y)) / batch.
public struct CrossEntropy: Loss {
  /// The cross entropy.
  public init() {}

  public func evaluate(_ batch: Batch, workspace: inout Workspace) -> LossValue {
    let classes = workspace.graph.outputs
    let scale = 1 / Float(batch.count)
    var loss = 0.0
    var correct = 0
    workspace.forEachLogitRow(rows: batch.count) { row, z, gradient in
      let label = batch.labels[row]
      let logSum = softmaxRow(z, classes: classes, inverseTemperature: 1, into: gradient)
      loss += Double(logSum - z[label])
      correct += indexOfLargest(z, count: classes) == label ? 1 : 0
      gradient[label] -= 1
      for c in 0..<classes { gradient[c] *= scale }
    }
    return LossValue(loss: loss / Double(batch.count), correct: correct)
  }
}
