import Foundation
import Networks

/// A network in double precision, written from the definition with loops over single elements.
///
/// What it computes is free of the rounding of the network under test, so that central differences of
/// it can take small steps.
struct DoubleNetwork {
  let architecture: Architecture
  var parameters: [Double]

  init(_ network: Network) {
    architecture = network.architecture
    parameters = network.parameters.map(Double.init)
  }

  struct Outcome {
    var logits: [Double] = []
    var loss = 0.0
    /// Which hidden units were active, sample by sample.
    var activity: [Bool] = []
  }

  /// The logits of samples and their mean cross entropy with labels.
  func run(_ inputs: [Float], labels: [Int]) -> Outcome {
    var outcome = Outcome()
    for (sample, label) in labels.enumerated() {
      var h = inputs[sample * architecture.inputs..<(sample + 1) * architecture.inputs]
        .map(Double.init)
      for layer in architecture.layers {
        var z: [Double] = []
        for output in 0..<layer.outputs {
          var sum = parameters[layer.biases.lowerBound + output]
          for input in 0..<layer.inputs {
            sum += parameters[layer.weights.lowerBound + output * layer.inputs + input] * h[input]
          }
          z.append(sum)
        }
        if layer.index < architecture.layers.count - 1 {
          outcome.activity += z.map { $0 > 0 }
          z = z.map { max($0, 0) }
        }
        h = z
      }
      outcome.logits += h
      outcome.loss +=
        (log(h.reduce(0) { $0 + exp($1) }) - h[label]) / Double(labels.count)
    }
    return outcome
  }

  /// (L(w + step) − L(w − step)) / 2 step for one parameter; nil where a unit turns on or off.
  func centralDifference(
    _ index: Int, step: Double = 1e-5, inputs: [Float], labels: [Int]
  ) -> Double? {
    var moved = self
    moved.parameters[index] += step
    let above = moved.run(inputs, labels: labels)
    moved.parameters[index] -= 2 * step
    let below = moved.run(inputs, labels: labels)
    guard above.activity == below.activity else { return nil }
    return (above.loss - below.loss) / (2 * step)
  }
}
