import Tensors

/// The sum of two values, as at the end of a residual block.
///
/// Both number the same units, so one permutation reorders both.
public struct Add: Layer {
  /// The layer.
  public init() {}

  public var description: String { "add" }

  public func outputShape(of inputs: [Shape]) throws(LayerError) -> Shape {
    guard inputs.count == 2 else {
      throw LayerError("takes two inputs, and has \(inputs.count)")
    }
    guard inputs[0] == inputs[1] else {
      throw LayerError(
        "adds values of one shape, and its inputs have \(inputs[0]) and \(inputs[1])")
    }
    return inputs[0]
  }

  public func passUnits(
    _ axes: LayerAxes, outputShape: Shape, in units: inout UnitRelations
  ) -> [UnitRelations.Axis] {
    for (a, b) in zip(axes.inputs[0], axes.inputs[1]) { units.unify(a, b) }
    return axes.inputs[0]
  }

  public var canRectify: Bool { true }

  public func forward(_ pass: ForwardPass) {
    if pass.isRectified {
      addAndRectify(pass.inputs[0], pass.inputs[1], into: pass.output)
    } else {
      add(pass.inputs[0], pass.inputs[1], into: pass.output)
    }
  }

  public func backward(_ pass: BackwardPass) {
    let gradient = pass.outputGradient
    for input in pass.inputGradients { input?.take { gradient[$0] } }
  }
}
