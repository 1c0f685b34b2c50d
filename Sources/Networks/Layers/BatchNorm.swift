import Tensors

/// Batch normalisation of each channel (Ioffe & Szegedy 2015); PyTorch's `nn.BatchNorm2d`, and of vectors `nn.BatchNorm1d`.
///
///     y = w (x − μ)/√(σ² + ε) + b
///
/// In training μ and σ² are the batch's own, over samples and pixels, and `running_mean` and `running_var` follow them: a tenth of
/// the way each step, σ² then divided by one less than the count. Otherwise they are the running ones. Tensors: `weight`, 1 at
/// first, `bias`, 0 at first; weight decay leaves both alone. Kept: `running_mean`, `running_var` and `num_batches_tracked`.
public struct BatchNorm: Layer {
  public let epsilon: Float

  /// How far running statistics follow a batch's.
  private static let momentum: Float = 0.1

  /// A layer; PyTorch's ε by default.
  public init(epsilon: Float = 1e-5) { self.epsilon = epsilon }

  public var description: String { epsilon == 1e-5 ? "batchnorm" : "batchnorm(\(epsilon))" }
  public var canRectify: Bool { true }

  public func outputShape(of inputs: [Shape]) throws(LayerError) -> Shape {
    let shape = try single(inputs)
    guard shape.count == 1 || shape.count == 3 else {
      throw LayerError("normalises channels, and its input has the shape \(shape)")
    }
    return shape
  }

  public func parameters(of inputs: [Shape]) -> [TensorDeclaration] {
    let shape = [inputs[0][0]]
    return [
      TensorDeclaration("weight", shape, role: .weight, initializer: .constant(1), decays: false),
      TensorDeclaration("bias", shape, role: .bias, initializer: .constant(0), decays: false),
    ]
  }

  public func buffers(of inputs: [Shape]) -> [TensorDeclaration] {
    let shape = [inputs[0][0]]
    return [
      TensorDeclaration("running_mean", shape, role: .other, initializer: .constant(0)),
      TensorDeclaration("running_var", shape, role: .other, initializer: .constant(1)),
      TensorDeclaration("num_batches_tracked", [], role: .count, initializer: .constant(0)),
    ]
  }

  public func passUnits(
    _ axes: LayerAxes, outputShape: Shape, in units: inout UnitRelations
  ) -> [UnitRelations.Axis] {
    for tensor in axes.parameters + axes.buffers.prefix(2) {
      units.unify(axes.inputs[0][0], tensor[0])
    }
    return axes.inputs[0]
  }

  /// The mean and 1/√(σ² + ε) of each channel, and whether they are the batch's own.
  public func savedCount(of inputs: [Shape], rows: Int) -> Int { 2 * inputs[0][0] + 1 }

  /// Samples and pixels.
  private func count(_ rows: Int, _ shape: Shape) -> Int {
    rows * shape.dropFirst().reduce(1, *)
  }

  public func forward(_ pass: ForwardPass) {
    let channels = pass.inputShapes[0][0]
    let count = count(pass.rows, pass.inputShapes[0])
    guard count > 0 else { return }
    var means = Array(pass.buffers[0])
    var variances = Array(pass.buffers[1])
    if let updated = pass.updatedBuffers {
      let own = Channels.moments(
        pass.inputs[0], rows: count, channels: channels, threads: pass.parallelism.threads)
      means = own.means.map { Float($0) }
      variances = own.variances.map { Float($0) }
      let unbiased = Float(Double(count) / Double(max(count - 1, 1)))
      for c in 0..<channels {
        updated[0][c] += Self.momentum * (means[c] - updated[0][c])
        updated[1][c] += Self.momentum * (unbiased * variances[c] - updated[1][c])
      }
      updated[2][0] += 1
    }
    let inverses = variances.map { 1 / ($0 + epsilon).squareRoot() }
    if !pass.saved.isEmpty {
      for c in 0..<channels {
        pass.saved[c] = means[c]
        pass.saved[channels + c] = inverses[c]
      }
      pass.saved[2 * channels] = pass.isTraining ? 1 : 0
    }
    let scales = (0..<channels).map { pass.parameters[0][$0] * inverses[$0] }
    Channels.scale(
      pass.inputs[0], by: scales,
      shifts: (0..<channels).map { pass.parameters[1][$0] - means[$0] * scales[$0] }, rows: count,
      isRectified: pass.isRectified, into: pass.output, threads: pass.parallelism.threads)
  }

  /// With x̂ = (x − μ)/s: ∂w = Σ ∂y x̂, ∂b = Σ ∂y, ∂x = w/s (∂y − mean(∂y) − x̂ mean(∂y x̂)); of running statistics, which
  /// do not depend on x, ∂x = w/s ∂y.
  public func backward(_ pass: BackwardPass) {
    let channels = pass.inputShapes[0][0]
    let count = count(pass.rows, pass.inputShapes[0])
    let means = Array(pass.saved[..<channels])
    let sums = Channels.gradientSums(
      pass.outputGradient, pass.inputs[0], means: means, rows: count,
      threads: pass.parallelism.threads)
    var (a, b, c) = (means, means, means)
    let isOwn = pass.saved[2 * channels] == 1
    for channel in 0..<channels {
      let inverse = Double(pass.saved[channels + channel])
      let product = sums.products[channel] * inverse
      pass.parameterGradients[0][channel] = Float(product)
      pass.parameterGradients[1][channel] = Float(sums.sums[channel])
      let scale = Double(pass.parameters[0][channel]) * inverse
      let slope = isOwn ? -scale * inverse * product / Double(count) : 0
      let mean = isOwn ? scale * sums.sums[channel] / Double(count) : 0
      a[channel] = Float(scale)
      b[channel] = Float(slope)
      c[channel] = Float(-mean - slope * Double(means[channel]))
    }
    guard let below = pass.inputGradients[0] else { return }
    Channels.combine(
      pass.outputGradient, a, pass.inputs[0], b, c, rows: count, into: below.values,
      isAdded: below.isAdded, threads: pass.parallelism.threads)
  }
}
