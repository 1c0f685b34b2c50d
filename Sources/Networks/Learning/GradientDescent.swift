import Tensors

/// A network whose own parameters are moved, by SGD.
public struct GradientDescent: Learnable {
  public var network: Network
  public let learningRate: Float

  /// Longer gradients are scaled down to this norm; nil for none (Pascanu, Mikolov & Bengio 2013).
  public let maximumNorm: Float?
  private var optimizer: SGD

  /// A network before its first step.
  ///
  /// - Parameters:
  ///   - network: where it starts.
  ///   - learningRate: SGD's base rate.
  ///   - momentum: SGD's.
  ///   - weightDecay: SGD's.
  ///   - maximumNorm: longer gradients are scaled down to it, before decay and momentum; nil for none.
  public init(
    _ network: Network, learningRate: Float, momentum: Float, weightDecay: Float,
    maximumNorm: Float? = nil
  ) {
    self.network = network
    self.learningRate = learningRate
    self.maximumNorm = maximumNorm
    optimizer = SGD(network.graph, momentum: momentum, weightDecay: weightDecay)
  }

  /// SGD's momentum, laid out as the parameters.
  public var velocity: [Float] {
    get { optimizer.velocity }
    set { optimizer.restore(velocity: newValue) }
  }

  public mutating func move(against gradient: [Float], factor: Float, with team: any Team) {
    optimizer.step(
      &network.parameters, gradient: clipped(gradient), learningRate: learningRate * factor,
      threads: team.threads)
  }

  private func clipped(_ gradient: [Float]) -> [Float] {
    guard let maximumNorm else { return gradient }
    let norm = dot(gradient, gradient).squareRoot()
    guard norm > Double(maximumNorm) else { return gradient }
    var result = gradient
    scale(gradient, by: Float(Double(maximumNorm) / norm), into: &result)
    return result
  }

  public var state: [LearnerState.Array] {
    [
      .init("parameters", network.parameters), .init("buffers", network.buffers),
      .init("velocity", optimizer.velocity),
    ]
  }

  public mutating func restore(_ state: LearnerState) throws(LearnerStateError) {
    let parameters = try state.array("parameters", count: network.parameters.count)
    let buffers = try state.array("buffers", count: network.buffers.count)
    optimizer.restore(velocity: try state.array("velocity", count: optimizer.velocity.count))
    (network.parameters, network.buffers) = (parameters, buffers)
  }
}
