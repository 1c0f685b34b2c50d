import Tensors

/// A convolution in two dimensions; PyTorch's `nn.Conv2d`.
///
/// Tensors: `weight` (outputs × inputs of a group × height × width) and `bias` (outputs), both uniform in ±1/√(numbers that an
/// output reads) at first. In memory the channels of a pixel lie side by side (``Convolution``).
public struct Conv2d: Layer {
  public let outputs: Int
  public let kernel: Extent
  public let stride: Int
  public let padding: Int
  public let dilation: Int
  public let groups: Int
  public let hasBias: Bool

  /// A layer of some outputs.
  public init(
    _ outputs: Int, kernel: Extent, stride: Int = 1, padding: Int = 0, dilation: Int = 1,
    groups: Int = 1, hasBias: Bool = true
  ) {
    self.outputs = outputs
    self.kernel = kernel
    (self.stride, self.padding, self.dilation) = (stride, padding, dilation)
    self.groups = groups
    self.hasBias = hasBias
  }

  static let syntax =
    "conv2d(outputs,kernel=3,stride=1,padding=0,dilation=1,groups=1,bias=yes)"

  /// The layer of what stands between the parentheses; nil if that is none.
  init?(_ text: String?) {
    guard var arguments = LayerArguments(text), let outputs = Int(arguments.first),
      let kernel = arguments.extent("kernel"), let stride = arguments.number("stride", 1),
      let padding = arguments.number("padding", 0), let dilation = arguments.number("dilation", 1),
      let groups = arguments.number("groups", 1), let hasBias = arguments.answer("bias", true),
      arguments.isEmpty, stride > 0, dilation > 0, groups > 0
    else { return nil }
    self.init(
      outputs, kernel: kernel, stride: stride, padding: padding, dilation: dilation, groups: groups,
      hasBias: hasBias)
  }

  public var description: String {
    var text = "conv2d(\(outputs),kernel=\(kernel)"
    if stride != 1 { text += ",stride=\(stride)" }
    if padding != 0 { text += ",padding=\(padding)" }
    if dilation != 1 { text += ",dilation=\(dilation)" }
    if groups != 1 { text += ",groups=\(groups)" }
    return text + (hasBias ? ")" : ",bias=no)")
  }

  public var canRectify: Bool { true }
  public var canMaskInputs: Bool { true }

  public func resized(to units: Int) -> any Layer {
    Conv2d(
      units, kernel: kernel, stride: stride, padding: padding, dilation: dilation,
      groups: groups == outputs ? units : groups, hasBias: hasBias)
  }

  public func outputShape(of inputs: [Shape]) throws(LayerError) -> Shape {
    let image = try image(inputs)
    guard (1...1 << 24).contains(outputs) else {
      throw LayerError("has \(outputs) outputs, expected 1 to \(1 << 24)")
    }
    guard image.channels.isMultiple(of: groups), outputs.isMultiple(of: groups) else {
      throw LayerError(
        "has \(groups) groups, which do not divide \(image.channels) inputs and \(outputs) outputs")
    }
    let reach = (dilation * (kernel.height - 1), dilation * (kernel.width - 1))
    guard padding <= min(reach.0, reach.1) else {
      throw LayerError("has padding \(padding), more than its kernel reaches over an edge")
    }
    return [
      outputs, try positions(image.height, reach.0 + 1, stride: stride, padding: padding),
      try positions(image.width, reach.1 + 1, stride: stride, padding: padding),
    ]
  }

  /// What the layer computes of an image.
  public func convolution(of input: Shape) -> Convolution {
    Convolution(
      inputs: input[0], outputs: outputs, height: input[1], width: input[2],
      kernel: (kernel.height, kernel.width), stride: stride, padding: padding, dilation: dilation,
      groups: groups)
  }

  public func parameters(of inputs: [Shape]) -> [TensorDeclaration] {
    let shape = [outputs, inputs[0][0] / groups, kernel.height, kernel.width]
    let start = TensorDeclaration.Initializer.uniform(
      bound: 1 / Float(shape.dropFirst().reduce(1, *)).squareRoot())
    let weight = TensorDeclaration("weight", shape, role: .weight, initializer: start)
    return hasBias
      ? [weight, TensorDeclaration("bias", [outputs], role: .bias, initializer: start)] : [weight]
  }

  public func passUnits(
    _ axes: LayerAxes, outputShape: Shape, in units: inout UnitRelations
  ) -> [UnitRelations.Axis] {
    let (input, weight) = (axes.inputs[0], axes.parameters[0])
    if groups == 1 {
      units.unify(input[0], weight[1])
    } else {
      // Inputs and outputs are numbered by group first.
      let group = units.axis(of: groups)
      let own = units.axis(of: outputs / groups)
      units.product([group, weight[1]]).map { units.unify(input[0], $0) }
      units.product([group, own]).map { units.unify(weight[0], $0) }
    }
    if hasBias { units.unify(weight[0], axes.parameters[1][0]) }
    for axis in input[1...] + weight[2...] { units.fix(axis) }
    let spatial = outputShape[1...].map { size in
      let axis = units.axis(of: size)
      units.fix(axis)
      return axis
    }
    return [weight[0]] + spatial
  }

  public func forward(_ pass: ForwardPass) {
    convolution(of: pass.inputShapes[0]).forward(
      pass.inputs[0], rows: pass.rows, weights: pass.parameters[0],
      bias: hasBias ? pass.parameters[1] : nil, isRectified: pass.isRectified, into: pass.output,
      threads: pass.parallelism.threads)
  }

  public func backward(_ pass: BackwardPass) {
    let convolution = convolution(of: pass.inputShapes[0])
    let threads = pass.parallelism.threads
    convolution.backwardWeights(
      pass.inputs[0], pass.outputGradient, rows: pass.rows, into: pass.parameterGradients[0],
      threads: threads)
    if hasBias {
      sumRows(
        pass.outputGradient, rows: pass.rows * convolution.outputHeight * convolution.outputWidth,
        into: pass.parameterGradients[1])
    }
    guard let below = pass.inputGradients[0] else { return }
    convolution.backwardInputs(
      pass.outputGradient, rows: pass.rows, weights: pass.parameters[0], into: below.values,
      isAdded: below.isAdded, mask: below.mask, threads: threads)
  }
}
