/// A multi-layer perceptron: its shape, and one contiguous block of parameters.
///
/// Layer l computes z = W_l h + b_l and h = max(z, 0); the last layer's z are the logits. All weights
/// and biases lie in one block, so that a network is gathered, averaged, permuted, stepped over by
/// an optimiser and saved as one array.
public struct Network: Equatable, Sendable {
  public let architecture: Architecture

  /// The parameters, laid out as ``Architecture/tensors`` says.
  public var parameters: [Float]

  /// A network of given parameters.
  public init(_ architecture: Architecture, parameters: [Float]) {
    precondition(
      parameters.count == architecture.parameterCount,
      "\(architecture) has \(architecture.parameterCount) parameters, not \(parameters.count)")
    self.architecture = architecture
    self.parameters = parameters
  }

  /// A freshly initialised network, distributed as PyTorch's `nn.Linear` starts.
  ///
  /// Weights and biases of a layer are uniform in ±1/√inputs.
  public init(_ architecture: Architecture, random: consuming RandomStream) {
    var parameters: [Float] = []
    parameters.reserveCapacity(architecture.parameterCount)
    for layer in architecture.layers {
      let bound = 1 / Float(layer.inputs).squareRoot()
      for _ in 0..<layer.parameterCount {
        parameters.append((2 * random.uniform() - 1) * bound)
      }
    }
    self.init(architecture, parameters: parameters)
  }

  /// A layer's weights, outputs × inputs.
  public func weights(_ layer: DenseLayer) -> Matrix {
    Matrix(
      rows: layer.outputs, columns: layer.inputs, elements: Array(parameters[layer.weights]))
  }

  /// A layer's biases.
  public func biases(_ layer: DenseLayer) -> [Float] { Array(parameters[layer.biases]) }

  /// Whether every parameter is a finite number.
  public var isFinite: Bool { parameters.allSatisfy(\.isFinite) }
}
