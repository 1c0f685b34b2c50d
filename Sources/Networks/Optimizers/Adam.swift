import Foundation
import RealModule
import Tensors

/// Adam (Kingma & Ba 2015), as PyTorch defines it.
///
/// m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; w ← w − η m̂ / (√v̂ + ε), with m̂ and v̂ corrected for
/// their start at zero.
public struct Adam: Sendable {
  public let beta1: Float
  public let beta2: Float
  public let epsilon: Float
  /// m and v, laid out as the parameters.
  public private(set) var first: [Float]
  public private(set) var second: [Float]
  /// How many steps were taken.
  public private(set) var steps = 0

  /// An optimiser for a block of `count` parameters.
  public init(count: Int, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    first = Array(repeating: 0, count: count)
    second = Array(repeating: 0, count: count)
  }

  /// Goes on from moments that were saved; of another length they are a precondition failure.
  public mutating func restore(first: [Float], second: [Float], steps: Int) {
    precondition(first.count == self.first.count && second.count == self.second.count)
    (self.first, self.second, self.steps) = (first, second, steps)
  }

  /// Takes one step, in one pass over the block.
  public mutating func step(_ parameters: inout [Float], gradient: [Float], learningRate: Float) {
    precondition(parameters.count == first.count && gradient.count == first.count)
    steps += 1
    adamStep(
      &parameters, gradient: gradient, first: &first, second: &second,
      stepSize: learningRate / Float(1 - pow(Double(beta1), Double(steps))),
      correction: Float(1 / (1 - pow(Double(beta2), Double(steps))).squareRoot()),
      beta1: beta1, beta2: beta2, epsilon: epsilon)
  }
}

private func adamStep(
  _ parameters: inout [Float], gradient: [Float], first: inout [Float], second: inout [Float],
  stepSize: Float, correction: Float, beta1: Float, beta2: Float, epsilon: Float
) {
  var w = parameters.mutableSpan
  var m = first.mutableSpan
  var v = second.mutableSpan
  let g = gradient.span
  for i in w.indices {
    let gradient = g[i]
    let mean = Relaxed.multiplyAdd(beta1, m[i], (1 - beta1) * gradient)
    let square = Relaxed.multiplyAdd(beta2, v[i], (1 - beta2) * gradient * gradient)
    m[i] = mean
    v[i] = square
    w[i] -= stepSize * mean / Relaxed.multiplyAdd(square.squareRoot(), correction, epsilon)
  }
}
