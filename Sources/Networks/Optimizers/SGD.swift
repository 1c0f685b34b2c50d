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
  ///
  /// - Parameters:
  ///   - parameters: w, changed in place.
  ///   - gradient: g.
  ///   - learningRate: η.
  ///   - threads: how many threads may share the pass; the bits do not depend on it.
  public mutating func step(
    _ parameters: inout [Float], gradient: [Float], learningRate: Float, threads: Int = 1
  ) {
    precondition(parameters.count == velocity.count && gradient.count == velocity.count)
    let (count, momentum, weightDecay) = (velocity.count, momentum, weightDecay)
    parameters.withUnsafeMutableBufferPointer { w in
      velocity.withUnsafeMutableBufferPointer { v in
        gradient.withUnsafeBufferPointer { g in
          // The parts are disjoint.
          nonisolated(unsafe) let (w, v, g) = (w, v, g)
          let parts = count > 1 << 16 ? threads : 1
          concurrently(parts, threads: threads) { index in
            for i in part(index, of: parts, in: count) {
              let decayed = Relaxed.multiplyAdd(weightDecay, w[i], g[i])
              let moved = Relaxed.multiplyAdd(momentum, v[i], decayed)
              v[i] = moved
              w[i] = Relaxed.multiplyAdd(-learningRate, moved, w[i])
            }
          }
        }
      }
    }
  }
}
