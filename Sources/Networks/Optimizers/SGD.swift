import RealModule

/// Stochastic gradient descent with momentum and weight decay, as PyTorch defines it.
///
/// g ← g + λ w; v ← μ v + g; w ← w − η v.
public struct SGD: Sendable {
  public let momentum: Float
  public let weightDecay: Float
  private var velocity: [Float]

  /// An optimiser for a block of `count` parameters.
  public init(count: Int, momentum: Float, weightDecay: Float) {
    self.momentum = momentum
    self.weightDecay = weightDecay
    velocity = Array(repeating: 0, count: count)
  }

  /// Takes one step, in one pass over the block.
  public mutating func step(_ parameters: inout [Float], gradient: [Float], learningRate: Float) {
    precondition(parameters.count == velocity.count && gradient.count == velocity.count)
    let (momentum, weightDecay) = (momentum, weightDecay)
    var w = parameters.mutableSpan
    var v = velocity.mutableSpan
    let g = gradient.span
    for i in w.indices {
      let decayed = Relaxed.multiplyAdd(weightDecay, w[i], g[i])
      let moved = Relaxed.multiplyAdd(momentum, v[i], decayed)
      v[i] = moved
      w[i] = Relaxed.multiplyAdd(-learningRate, moved, w[i])
    }
  }
}
