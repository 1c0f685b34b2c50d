import Networks
import Tensors

/// A dense layer of a perceptron, and where its parameters lie.
struct PerceptronLayer {
  let node: Int
  let weight: TensorLayout
  let bias: TensorLayout

  var outputs: Int { weight.shape[0] }
  var inputs: Int { weight.columns }
  var weights: Range<Int> { weight.range }
  var biases: Range<Int> { bias.range }
  var offset: Int { weights.lowerBound }
}

extension Graph {
  /// The dense layers, from the input.
  var layers: [PerceptronLayer] {
    nodes.indices.filter { nodes[$0].layer is Dense }.map { node in
      let own = tensors(of: node)
      return PerceptronLayer(node: node, weight: own[0], bias: own[1])
    }
  }

  /// The node whose units a layer of a perceptron puts out; after the ReLU where one follows.
  func activation(ofLayer layer: Int) -> Int? { node("relu.\(layer)") ?? node("layers.\(layer)") }
}

extension Network {
  func weights(_ layer: PerceptronLayer) -> Matrix { matrix(layer.weight) }
  func biases(_ layer: PerceptronLayer) -> [Float] { Array(parameters[layer.biases]) }

  /// One unit's weights.
  func weights(of unit: Int, _ layer: PerceptronLayer) -> ArraySlice<Float> {
    parameters[layer.offset + unit * layer.inputs..<layer.offset + (unit + 1) * layer.inputs]
  }
}
