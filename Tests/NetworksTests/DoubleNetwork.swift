import Foundation
import Networks
import Tensors

/// A network in double precision, written from the layers' definitions with loops over single elements.
///
/// What it computes is free of the rounding of the network under test, so that central differences of
/// it can take small steps.
struct DoubleNetwork {
  let graph: Graph
  var parameters: [Double]

  init(_ network: Network) {
    graph = network.graph
    parameters = network.parameters.map(Double.init)
  }

  struct Outcome {
    var logits: [Double] = []
    var loss = 0.0
    /// Which inputs of ReLUs were positive, sample by sample.
    var activity: [Bool] = []
    /// The input of a ReLU that is nearest to its kink.
    var nearestKink = Double.infinity
  }

  /// The logits of samples and their mean cross entropy with labels.
  func run(_ inputs: [Float], labels: [Int]) -> Outcome {
    var outcome = Outcome()
    let tensors = graph.nodes.indices.map { graph.tensors(of: $0).map(\.range) }
    let sources = graph.nodes.indices.map(graph.inputs(of:))
    for (sample, label) in labels.enumerated() {
      let input = inputs[sample * graph.inputs..<(sample + 1) * graph.inputs].map(Double.init)
      var values: [[Double]] = []
      for (index, node) in graph.nodes.enumerated() {
        let read = sources[index].map { source in source.map { values[$0] } ?? input }
        let own = tensors[index].map { Array(parameters[$0]) }
        values.append(value(of: node.layer, read, own, outcome: &outcome))
      }
      let z = values[values.count - 1]
      outcome.logits += z
      outcome.loss +=
        (log(z.reduce(0) { $0 + exp($1) }) - z[label]) / Double(labels.count)
    }
    return outcome
  }

  private func value(
    of layer: any Layer, _ inputs: [[Double]], _ tensors: [[Double]], outcome: inout Outcome
  ) -> [Double] {
    let x = inputs[0]
    switch layer {
    case let dense as Dense:
      return (0..<dense.outputs).map { output in
        x.indices.reduce(tensors[1][output]) {
          $0 + tensors[0][output * x.count + $1] * x[$1]
        }
      }
    case is ReLU:
      outcome.activity += x.map { $0 > 0 }
      // Exact zeros come from a ReLU before, and stay zero.
      for x in x where x != 0 { outcome.nearestKink = min(outcome.nearestKink, abs(x)) }
      return x.map { max($0, 0) }
    case is Add:
      return zip(x, inputs[1]).map { $0 + $1 }
    case let norm as LayerNorm:
      let count = Double(x.count)
      let mean = x.reduce(0, +) / count
      let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
      let deviation = (variance + Double(norm.epsilon)).squareRoot()
      return x.indices.map { tensors[0][$0] * (x[$0] - mean) / deviation + tensors[1][$0] }
    default:
      preconditionFailure("no reference for \(layer)")
    }
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

  /// The network with the units of a group in another order, in all the places of the group.
  func permuted(_ group: Symmetry.Group, by order: [Int]) -> DoubleNetwork {
    var result = self
    for place in group.places where !place.isBuffer {
      let (shape, entries) = (place.tensor.shape, place.entries)
      let inner = shape[(place.axis + 1)...].reduce(1, *)
      let outer = shape[..<place.axis].reduce(1, *)
      let before = result.parameters
      for (unit, from) in order.enumerated() {
        for (own, other) in zip(entries[unit], entries[from]) {
          for o in 0..<outer {
            for i in 0..<inner {
              let start = place.tensor.range.lowerBound + o * shape[place.axis] * inner + i
              result.parameters[start + own * inner] = before[start + other * inner]
            }
          }
        }
      }
    }
    return result
  }
}
