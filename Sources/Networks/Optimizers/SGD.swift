import RealModule
import Tensors

/// Stochastic gradient descent with momentum and weight decay, as PyTorch defines it.
///
/// g ← g + λ w; v ← μ v + g; w ← w − η v, with λ only where the layer's tensor decays.
public struct SGD: Sendable {
  public let momentum: Float
  public let weightDecay: Float

  /// v, laid out as the parameters.
  public private(set) var velocity: [Float]

  /// Runs of the block, and whether they decay.
  private let runs: [(range: Range<Int>, decays: Bool)]

  /// An optimiser for a network's parameters.
  public init(_ graph: Graph, momentum: Float, weightDecay: Float) {
    self.init(runs: graph.decayRuns, momentum: momentum, weightDecay: weightDecay)
  }

  /// An optimiser for a block of `count` parameters that all decay.
  public init(count: Int, momentum: Float, weightDecay: Float) {
    self.init(runs: [(0..<count, true)], momentum: momentum, weightDecay: weightDecay)
  }

  private init(runs: [(range: Range<Int>, decays: Bool)], momentum: Float, weightDecay: Float) {
    self.momentum = momentum
    self.weightDecay = weightDecay
    self.runs = runs
    velocity = Array(repeating: 0, count: runs.last?.range.upperBound ?? 0)
  }

  /// Goes on from a velocity that was saved; of another length it is a precondition failure.
  public mutating func restore(velocity: [Float]) {
    precondition(velocity.count == self.velocity.count)
    self.velocity = velocity
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
    let (runs, momentum, weightDecay) = (runs, momentum, weightDecay)
    parameters.withUnsafeMutableBufferPointer { w in
      velocity.withUnsafeMutableBufferPointer { v in
        gradient.withUnsafeBufferPointer { g in
          // The parts are disjoint.
          nonisolated(unsafe) let (w, v, g) = (w, v, g)
          for run in runs {
            let count = run.range.count
            let decay = run.decays ? weightDecay : 0
            let parts = count > 1 << 16 ? threads : 1
            concurrently(parts, threads: threads) { index in
              let part = part(index, of: parts, in: count)
              let start = run.range.lowerBound
              for i in start + part.lowerBound..<start + part.upperBound {
                let decayed = Relaxed.multiplyAdd(decay, w[i], g[i])
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
}

extension Graph {
  /// The block of parameters in runs of tensors that weight decay treats alike.
  fileprivate var decayRuns: [(range: Range<Int>, decays: Bool)] {
    var runs: [(range: Range<Int>, decays: Bool)] = []
    for tensor in tensors {
      if let last = runs.last, last.decays == tensor.decays {
        runs[runs.count - 1].range = last.range.lowerBound..<tensor.range.upperBound
      } else {
        runs.append((tensor.range, tensor.decays))
      }
    }
    return runs
  }
}
