import Tensors

/// What a layer's forward pass reads and writes; valid only while the pass runs.
public struct ForwardPass {
  /// How many samples.
  public let rows: Int

  /// Each input: rows × its size, row by row.
  public let inputs: [UnsafeBufferPointer<Float>]
  public let inputShapes: [Shape]

  /// Rows × its size, to be overwritten.
  public let output: UnsafeMutableBufferPointer<Float>

  /// Whether negative outputs are to become zero; only where ``Layer/canRectify``.
  public let isRectified: Bool

  /// The layer's learned tensors, in their order.
  public let parameters: [UnsafeBufferPointer<Float>]

  /// The tensors that are kept.
  public let buffers: [UnsafeBufferPointer<Float>]

  /// The tensors that are kept, to be changed by training; nil when the network is only used.
  public let updatedBuffers: [UnsafeMutableBufferPointer<Float>]?

  /// Room for what the backward pass needs; empty when the network is only used.
  public let saved: UnsafeMutableBufferPointer<Float>

  /// How products share threads.
  public let parallelism: Parallelism

  public var isTraining: Bool { updatedBuffers != nil }
}

/// What a layer's backward pass reads and writes; valid only while the pass runs.
public struct BackwardPass {
  public let rows: Int
  public let inputs: [UnsafeBufferPointer<Float>]
  public let inputShapes: [Shape]
  public let output: UnsafeBufferPointer<Float>

  /// The loss' gradient with respect to the output, behind any ReLU that the layer took on.
  public let outputGradient: UnsafeBufferPointer<Float>
  public let parameters: [UnsafeBufferPointer<Float>]
  public let saved: UnsafeBufferPointer<Float>

  /// To be overwritten, in the order of the tensors.
  public let parameterGradients: [UnsafeMutableBufferPointer<Float>]

  /// Of each input; nil where nobody needs it.
  public let inputGradients: [InputGradient?]
  public let parallelism: Parallelism
}

/// Where a gradient with respect to an input goes.
public struct InputGradient {
  /// Rows × the input's size.
  public let values: UnsafeMutableBufferPointer<Float>

  /// Whether other layers have added theirs already, so that this one is added too.
  public let isAdded: Bool

  /// What the ReLU before the layer put out: where it is not above zero, the sum is to be zero.
  ///
  /// Nil without one, or where
  /// the layer does not do that (``Layer/canMaskInputs``).
  public let mask: UnsafeBufferPointer<Float>?

  /// Writes or adds a gradient, element by element.
  public func take(_ gradient: (Int) -> Float) {
    if isAdded {
      for i in 0..<values.count { values[i] += gradient(i) }
    } else {
      for i in 0..<values.count { values[i] = gradient(i) }
    }
  }
}
