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

  /// Where a window's pixels that are there lie in a sample, and where its result does.
  private struct Window: Sendable {
    let pixels: [Int]
    let result: Int
  }

  private func windows(_ shape: Shape) -> [Window] {
    let (channels, height, width) = (shape[0], shape[1], shape[2])
    let down = (height + 2 * padding - kernel.height) / stride + 1
    let across = (width + 2 * padding - kernel.width) / stride + 1
    return (0..<down * across).map { number in
      let (top, left) = (number / across * stride - padding, number % across * stride - padding)
      let rows = max(top, 0)..<min(top + kernel.height, height)
      let columns = max(left, 0)..<min(left + kernel.width, width)
      return Window(
        pixels: rows.flatMap { h in columns.map { (h * width + $0) * channels } },
        result: number * channels)
    }
  }

  private var share: Float { 1 / Float(kernel.height * kernel.width) }

  public func forward(_ pass: ForwardPass) {
    let shape = pass.inputShapes[0]
    let (channels, size) = (shape[0], shape.reduce(1, *))
    let windows = windows(shape)
    let (kind, share) = (kind, share)
    nonisolated(unsafe) let (allInputs, allOutputs) = (pass.inputs[0], pass.output)
    concurrently(pass.rows, threads: pass.parallelism.threads) { row in
      guard let x = allInputs.baseAddress, let y = allOutputs.baseAddress else { return }
      let sample = x + row * size
      for window in windows {
        let y = y + row * windows.count * channels + window.result
        switch kind {
        case .largest:
          for c in 0..<channels { y[c] = sample[window.pixels[0] + c] }
          for pixel in window.pixels.dropFirst() {
            let x = sample + pixel
            for c in 0..<channels { y[c] = x[c] > y[c] ? x[c] : y[c] }
          }
        case .mean:
          for c in 0..<channels { y[c] = 0 }
          for pixel in window.pixels {
            let x = sample + pixel
            for c in 0..<channels { y[c] += x[c] }
          }
          for c in 0..<channels { y[c] *= share }
        }
      }
    }
  }

  public func backward(_ pass: BackwardPass) {
    guard let below = pass.inputGradients[0] else { return }
    if !below.isAdded { below.values.update(repeating: 0) }
    let shape = pass.inputShapes[0]
    let (channels, size) = (shape[0], shape.reduce(1, *))
    let windows = windows(shape)
    let (kind, share) = (kind, share)
    nonisolated(unsafe) let (inputs, outputs) = (pass.inputs[0], pass.output)
    nonisolated(unsafe) let (gradients, inputGradients) = (pass.outputGradient, below.values)
    concurrently(pass.rows, threads: pass.parallelism.threads) { row in
      guard let x = inputs.baseAddress, let y = outputs.baseAddress,
        let dy = gradients.baseAddress, let dx = inputGradients.baseAddress
      else { return }
      // What is left of each channel's gradient once a pixel has taken it.
      withUnsafeTemporaryAllocation(of: Float.self, capacity: channels) { buffer in
        guard let rest = buffer.baseAddress else { return }
        for window in windows {
          let result = row * windows.count * channels + window.result
          let (y, dy) = (y + result, dy + result)
          for c in 0..<channels { rest[c] = kind == .mean ? share * dy[c] : dy[c] }
          for pixel in window.pixels {
            let (x, dx) = (x + row * size + pixel, dx + row * size + pixel)
            switch kind {
            case .largest:
              for c in 0..<channels {
                let isTaken = x[c] == y[c]
                dx[c] += isTaken ? rest[c] : 0
                rest[c] = isTaken ? 0 : rest[c]
              }
            case .mean:
              for c in 0..<channels { dx[c] += rest[c] }
            }
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
