import Tensors

/// An image as a vector, channel by channel; PyTorch's `nn.Flatten`.
///
/// A channel's pixels lie side by side in the vector, so a layer that reads it has a block of columns for each channel.
public struct Flatten: Layer {
  /// The layer.
  public init() {}

  public var description: String { "flatten" }

  public func outputShape(of inputs: [Shape]) throws(LayerError) -> Shape {
    let image = try image(inputs)
    return [image.channels * image.height * image.width]
  }

  public func passUnits(
    _ axes: LayerAxes, outputShape: Shape, in units: inout UnitRelations
  ) -> [UnitRelations.Axis] {
    axes.inputs[0][1...].forEach { units.fix($0) }
    if let product = units.product(axes.inputs[0]) { return [product] }
    units.fix(axes.inputs[0][0])
    let axis = units.axis(of: outputShape[0])
    units.fix(axis)
    return [axis]
  }

  public func forward(_ pass: ForwardPass) {
    guard let x = pass.inputs[0].baseAddress, let y = pass.output.baseAddress else { return }
    let shape = pass.inputShapes[0]
    transposeImages(
      x, rows: pass.rows, from: shape[1] * shape[2], by: shape[0]
    ) { y[$0] = $1 }
  }

  public func backward(_ pass: BackwardPass) {
    guard let below = pass.inputGradients[0], let dx = below.values.baseAddress,
      let dy = pass.outputGradient.baseAddress
    else { return }
    let shape = pass.inputShapes[0]
    if below.isAdded {
      transposeImages(dy, rows: pass.rows, from: shape[0], by: shape[1] * shape[2]) { dx[$0] += $1 }
    } else {
      transposeImages(dy, rows: pass.rows, from: shape[0], by: shape[1] * shape[2]) { dx[$0] = $1 }
    }
  }
}

/// Each sample's matrix of `height` × `width` numbers turned into one of `width` × `height`.
@inline(__always)
func transposeImages(
  _ x: UnsafePointer<Float>, rows: Int, from height: Int, by width: Int,
  _ write: (_ place: Int, _ value: Float) -> Void
) {
  for row in 0..<rows {
    let start = row * height * width
    for j in 0..<width {
      for i in 0..<height { write(start + j * height + i, x[start + i * width + j]) }
    }
  }
}
