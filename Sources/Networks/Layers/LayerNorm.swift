import Tensors

/// Layer normalisation over the units of each sample (Ba, Kiros & Hinton 2016); PyTorch's `nn.LayerNorm`.
///
/// y = w ∘ (x − μ)/√(σ² + ε) + b with the mean μ and the variance σ² of the sample's own units. Tensors: `weight`, 1 at
/// first, and `bias`, 0 at first; weight decay leaves both alone.
public struct LayerNorm: Layer {
  public let epsilon: Float

  /// A layer; PyTorch's ε by default.
  public init(epsilon: Float = 1e-5) { self.epsilon = epsilon }

  public var description: String { epsilon == 1e-5 ? "layernorm" : "layernorm(\(epsilon))" }

  public func outputShape(of inputs: [Shape]) throws(LayerError) -> Shape {
    let shape = try single(inputs)
    guard shape.count == 1 else {
      throw LayerError("normalises a vector, and its input has the shape \(shape)")
    }
    return shape
  }

  public func parameters(of inputs: [Shape]) -> [TensorDeclaration] {
    [
      TensorDeclaration(
        "weight", inputs[0], role: .weight, initializer: .constant(1), decays: false),
      TensorDeclaration("bias", inputs[0], role: .bias, initializer: .constant(0), decays: false),
    ]
  }

  public func passUnits(
    _ axes: LayerAxes, outputShape: Shape, in units: inout UnitRelations
  ) -> [UnitRelations.Axis] {
    for tensor in axes.parameters { units.unify(axes.inputs[0][0], tensor[0]) }
    return axes.inputs[0]
  }

  /// The mean and 1/√(σ² + ε) of each sample.
  public func savedCount(of inputs: [Shape], rows: Int) -> Int { 2 * rows }

  public func forward(_ pass: ForwardPass) {
    normalizeRows(
      pass.inputs[0], rows: pass.rows, gain: pass.parameters[0], shift: pass.parameters[1],
      epsilon: epsilon, into: pass.output, statistics: pass.saved)
  }

  public func backward(_ pass: BackwardPass) {
    let below = pass.inputGradients[0]
    normalizeRowsBackward(
      pass.inputs[0], rows: pass.rows, gain: pass.parameters[0], statistics: pass.saved,
      outputGradient: pass.outputGradient, gainGradient: pass.parameterGradients[0],
      shiftGradient: pass.parameterGradients[1], inputGradient: below?.values,
      isAdded: below?.isAdded ?? false)
  }
}
