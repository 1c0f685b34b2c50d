import Tensors

/// The largest, or the mean, of each channel in windows of pixels; PyTorch's `nn.MaxPool2d` and `nn.AvgPool2d`.
///
/// Pixels over the edge are smaller than all others, and are zeros that count in a mean. Of equal pixels the first has the
/// gradient.
public struct Pooling: Layer {
  /// What is made of a window.
  public enum Kind: String, Sendable {
    case largest = "maxpool"
    case mean = "avgpool"
  }

  public let kind: Kind
  public let kernel: Extent
  public let stride: Int
  public let padding: Int

  /// A layer; windows lie side by side by default.
  public init(_ kind: Kind, _ kernel: Extent, stride: Int? = nil, padding: Int = 0) {
    self.kind = kind
    self.kernel = kernel
    self.stride = stride ?? kernel.height
    self.padding = padding
  }

  /// The layer of what stands between the parentheses; nil if that is none.
  init?(_ kind: Kind, _ text: String?) {
    guard var arguments = LayerArguments(text), let kernel = Extent(arguments.first),
      let stride = arguments.number("stride", kernel.height),
      let padding = arguments.number("padding", 0), arguments.isEmpty, stride > 0
    else { return nil }
    self.init(kind, kernel, stride: stride, padding: padding)
  }

  public var description: String {
    var text = "\(kind.rawValue)(\(kernel)"
    if stride != kernel.height { text += ",stride=\(stride)" }
    if padding != 0 { text += ",padding=\(padding)" }
    return text + ")"
  }

  public func outputShape(of inputs: [Shape]) throws(LayerError) -> Shape {
    let image = try image(inputs)
    guard 2 * padding <= min(kernel.height, kernel.width) else {
      throw LayerError("has padding \(padding), more than half of its window")
    }
    return [
      image.channels,
      try positions(image.height, kernel.height, stride: stride, padding: padding),
      try positions(image.width, kernel.width, stride: stride, padding: padding),
    ]
  }

  public func passUnits(
    _ axes: LayerAxes, outputShape: Shape, in units: inout UnitRelations
  ) -> [UnitRelations.Axis] {
    axes.inputs[0][1...].forEach { units.fix($0) }
    return axes.inputs[0].prefix(1)
      + outputShape[1...].map { size in
        let axis = units.axis(of: size)
        units.fix(axis)
        return axis
      }
  }

  /// Calls for every window with the places of its pixels in a sample that are there, and that of its result.
  private func forEachWindow(_ shape: Shape, _ body: (_ pixels: [Int], _ result: Int) -> Void) {
    let (channels, height, width) = (shape[0], shape[1], shape[2])
    let down = (height + 2 * padding - kernel.height) / stride + 1
    let across = (width + 2 * padding - kernel.width) / stride + 1
    for i in 0..<down {
      let top = i * stride - padding
      for j in 0..<across {
        let left = j * stride - padding
        var pixels: [Int] = []
        for h in max(top, 0)..<min(top + kernel.height, height) {
          for w in max(left, 0)..<min(left + kernel.width, width) {
            pixels.append((h * width + w) * channels)
          }
        }
        body(pixels, (i * across + j) * channels)
      }
    }
  }

  public func forward(_ pass: ForwardPass) {
    guard let x = pass.inputs[0].baseAddress, let y = pass.output.baseAddress else { return }
    let shape = pass.inputShapes[0]
    let (channels, size) = (shape[0], shape.reduce(1, *))
    let outputSize = pass.output.count / max(pass.rows, 1)
    let share = 1 / Float(kernel.height * kernel.width)
    forEachWindow(shape) { pixels, result in
      for row in 0..<pass.rows {
        let (x, y) = (x + row * size, y + row * outputSize + result)
        switch kind {
        case .largest:
          for c in 0..<channels { y[c] = x[pixels[0] + c] }
          for pixel in pixels.dropFirst() {
            for c in 0..<channels { y[c] = x[pixel + c] > y[c] ? x[pixel + c] : y[c] }
          }
        case .mean:
          for c in 0..<channels { y[c] = 0 }
          for pixel in pixels {
            for c in 0..<channels { y[c] += x[pixel + c] }
          }
          for c in 0..<channels { y[c] *= share }
        }
      }
    }
  }

  public func backward(_ pass: BackwardPass) {
    guard let below = pass.inputGradients[0], let dx = below.values.baseAddress,
      let x = pass.inputs[0].baseAddress, let y = pass.output.baseAddress,
      let dy = pass.outputGradient.baseAddress
    else { return }
    if !below.isAdded { below.values.update(repeating: 0) }
    let shape = pass.inputShapes[0]
    let (channels, size) = (shape[0], shape.reduce(1, *))
    let outputSize = pass.output.count / max(pass.rows, 1)
    let share = 1 / Float(kernel.height * kernel.width)
    // What is left of each channel's gradient once a pixel has taken it.
    var rest = [Float](repeating: 0, count: channels)
    forEachWindow(shape) { pixels, result in
      for row in 0..<pass.rows {
        let (x, dx) = (x + row * size, dx + row * size)
        let (y, dy) = (y + row * outputSize + result, dy + row * outputSize + result)
        switch kind {
        case .largest:
          rest.withUnsafeMutableBufferPointer { rest in
            for c in 0..<channels { rest[c] = dy[c] }
            for pixel in pixels {
              for c in 0..<channels {
                let isTaken = x[pixel + c] == y[c]
                dx[pixel + c] += isTaken ? rest[c] : 0
                rest[c] = isTaken ? 0 : rest[c]
              }
            }
          }
        case .mean:
          for pixel in pixels {
            for c in 0..<channels { dx[pixel + c] += share * dy[c] }
          }
        }
      }
    }
  }
}

/// The mean of each channel over all pixels; PyTorch's `nn.AdaptiveAvgPool2d(1)`.
public struct GlobalMean: Layer {
  /// The layer.
  public init() {}

  public var description: String { "globalmean" }

  public func outputShape(of inputs: [Shape]) throws(LayerError) -> Shape {
    [try image(inputs).channels, 1, 1]
  }

  public func passUnits(
    _ axes: LayerAxes, outputShape: Shape, in units: inout UnitRelations
  ) -> [UnitRelations.Axis] {
    axes.inputs[0][1...].forEach { units.fix($0) }
    return [axes.inputs[0][0], units.axis(of: 1), units.axis(of: 1)]
  }

  public func forward(_ pass: ForwardPass) {
    guard let x = pass.inputs[0].baseAddress, let y = pass.output.baseAddress else { return }
    let shape = pass.inputShapes[0]
    let (channels, pixels) = (shape[0], shape[1] * shape[2])
    for row in 0..<pass.rows {
      let (x, y) = (x + row * pixels * channels, y + row * channels)
      for c in 0..<channels { y[c] = 0 }
      for pixel in 0..<pixels {
        for c in 0..<channels { y[c] += x[pixel * channels + c] }
      }
      for c in 0..<channels { y[c] /= Float(pixels) }
    }
  }

  public func backward(_ pass: BackwardPass) {
    let shape = pass.inputShapes[0]
    let (channels, pixels) = (shape[0], shape[1] * shape[2])
    let share = 1 / Float(pixels)
    guard let below = pass.inputGradients[0], let dx = below.values.baseAddress,
      let dy = pass.outputGradient.baseAddress
    else { return }
    for row in 0..<pass.rows {
      let dy = dy + row * channels
      for pixel in 0..<pixels {
        let dx = dx + (row * pixels + pixel) * channels
        if below.isAdded {
          for c in 0..<channels { dx[c] += share * dy[c] }
        } else {
          for c in 0..<channels { dx[c] = share * dy[c] }
        }
      }
    }
  }
}
