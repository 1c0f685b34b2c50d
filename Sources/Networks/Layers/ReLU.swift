import Tensors

/// max(x, 0); PyTorch's `nn.ReLU`.
///
/// Costs a pass of its own only where the layer before it cannot take it on.
public struct ReLU: Layer {
  /// The layer.
  public init() {}

  public var description: String { "relu" }

  public func outputShape(of inputs: [Shape]) throws(LayerError) -> Shape { try single(inputs) }

  public func passUnits(
    _ axes: LayerAxes, outputShape: Shape, in units: inout UnitRelations
  ) -> [UnitRelations.Axis] { axes.inputs[0] }

  public func forward(_ pass: ForwardPass) { rectify(pass.inputs[0], into: pass.output) }

  public func backward(_ pass: BackwardPass) {
    let (gradient, output) = (pass.outputGradient, pass.output)
    pass.inputGradients[0]?.take { output[$0] > 0 ? gradient[$0] : 0 }
  }
}
