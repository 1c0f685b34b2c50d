import Tensors

/// A dense layer, z = W h + b; PyTorch's `nn.Linear`.
///
/// Tensors: `weight` (outputs × inputs) and `bias` (outputs), both uniform in ±1/√inputs at first.
public struct Dense: Layer {
  public let outputs: Int

  /// A layer of some outputs.
  public init(_ outputs: Int) { self.outputs = outputs }

  public var description: String { "dense(\(outputs))" }
  public var canRectify: Bool { true }
  public var canMaskInputs: Bool { true }
  public func resized(to units: Int) -> any Layer { Dense(units) }

  public func outputShape(of inputs: [Shape]) throws(LayerError) -> Shape {
    let shape = try single(inputs)
    guard shape.count == 1 else {
      throw LayerError("takes a vector, and its input has the shape \(shape)")
    }
    guard (1...1 << 24).contains(outputs) else {
      throw LayerError("has \(outputs) outputs, expected 1 to \(1 << 24)")
    }
    return [outputs]
  }

  public func parameters(of inputs: [Shape]) -> [TensorDeclaration] {
    let start = TensorDeclaration.Initializer.uniform(bound: 1 / Float(inputs[0][0]).squareRoot())
    return [
      TensorDeclaration("weight", [outputs, inputs[0][0]], role: .weight, initializer: start),
      TensorDeclaration("bias", [outputs], role: .bias, initializer: start),
    ]
  }

  public func passUnits(
    _ axes: LayerAxes, outputShape: Shape, in units: inout UnitRelations
  ) -> [UnitRelations.Axis] {
    let (weight, bias) = (axes.parameters[0], axes.parameters[1])
    units.unify(axes.inputs[0][0], weight[1])
    units.unify(weight[0], bias[0])
    return [weight[0]]
  }

  public func forward(_ pass: ForwardPass) {
    let inputs = pass.inputShapes[0][0]
    let bias = MatrixView(pass.parameters[1], rows: 1, columns: outputs)
    let isRectified = pass.isRectified
    multiply(
      MatrixView(pass.inputs[0], rows: pass.rows, columns: inputs),
      MatrixView(pass.parameters[0], rows: outputs, columns: inputs).transposed,
      into: MutableMatrixView(pass.output, rows: pass.rows, columns: outputs),
      parallelism: pass.parallelism
    ) { tile, _, columns in
      if isRectified {
        addBiasAndRectify(tile, bias: bias.columns(columns))
      } else {
        addBias(tile, bias: bias.columns(columns))
      }
    }
  }

  /// ∂W = δᵀ h, ∂b = Σ δ, ∂h = δ W.
  public func backward(_ pass: BackwardPass) {
    let inputs = pass.inputShapes[0][0]
    let delta = MatrixView(pass.outputGradient, rows: pass.rows, columns: outputs)
    let h = MatrixView(pass.inputs[0], rows: pass.rows, columns: inputs)
    multiply(
      delta.transposed, h,
      into: MutableMatrixView(pass.parameterGradients[0], rows: outputs, columns: inputs),
      parallelism: pass.parallelism)
    sumRows(pass.outputGradient, rows: pass.rows, into: pass.parameterGradients[1])
    guard let below = pass.inputGradients[0] else { return }
    let mask = below.mask.map { MatrixView($0, rows: pass.rows, columns: inputs) }
    multiply(
      delta, MatrixView(pass.parameters[0], rows: outputs, columns: inputs),
      into: MutableMatrixView(below.values, rows: pass.rows, columns: inputs),
      keep: below.isAdded ? 1 : 0, parallelism: pass.parallelism
    ) { tile, rows, columns in
      guard let mask else { return }
      maskInactive(tile, activations: mask.rows(rows).columns(columns))
    }
  }
}
