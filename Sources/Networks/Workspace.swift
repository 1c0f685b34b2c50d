/// Buffers for running one network forward and backward on batches, allocated once.
public struct Workspace: Sendable {
  public let architecture: Architecture
  public let capacity: Int
  let parallelism: Parallelism

  /// The outputs of each layer for the last batch: capacity × width, the last being the logits.
  var activations: [[Float]]

  /// The gradient of the loss with respect to each layer's pre-activations.
  var gradients: [[Float]]

  /// Buffers for batches of up to `capacity` samples, computed by up to `threads` threads.
  public init(_ architecture: Architecture, capacity: Int, threads: Int = 1) {
    self.architecture = architecture
    self.capacity = capacity
    parallelism = .tiled(threads: threads)
    activations = architecture.layers.map {
      Array(repeating: 0, count: capacity * $0.outputs)
    }
    gradients = activations
  }

  /// The logits of the last forward pass; the first `rows` × classes elements count.
  public var logits: [Float] { activations[activations.count - 1] }

  /// What a layer put out in the last forward pass, after its ReLU: capacity × width.
  public func outputs(ofLayer index: Int) -> [Float] { activations[index] }

  /// The gradient of the loss with respect to the logits, written by a loss.
  public var logitGradient: [Float] {
    get { gradients[gradients.count - 1] }
    set { gradients[gradients.count - 1] = newValue }
  }
}
