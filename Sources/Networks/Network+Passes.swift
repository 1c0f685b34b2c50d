extension Network {
  /// Computes the logits of a batch into the workspace.
  ///
  /// - Parameters:
  ///   - inputs: rows × inputs, row by row; may be longer.
  ///   - rows: how many samples, at most the workspace's capacity.
  ///   - workspace: holds every layer's outputs afterwards.
  public func forward(_ inputs: [Float], rows: Int, workspace: inout Workspace) {
    precondition(workspace.architecture == architecture && rows <= workspace.capacity)
    let layers = architecture.layers
    parameters.withUnsafeBufferPointer { parameters in
      for layer in layers {
        let isLast = layer.index == layers.count - 1
        let bias = MatrixView(
          UnsafeBufferPointer(rebasing: parameters[layer.biases]), rows: 1, columns: layer.outputs)
        let weights = MatrixView(
          UnsafeBufferPointer(rebasing: parameters[layer.weights]), rows: layer.outputs,
          columns: layer.inputs)
        let parallelism = workspace.parallelism
        workspace.withOutputs(of: layer.index, inputs: inputs) { h, z in
          multiply(
            MatrixView(h, rows: rows, columns: layer.inputs), weights.transposed,
            into: MutableMatrixView(z, rows: rows, columns: layer.outputs),
            parallelism: parallelism
          ) { tile, _, columns in
            if isLast {
              addBias(tile, bias: bias.columns(columns))
            } else {
              addBiasAndRectify(tile, bias: bias.columns(columns))
            }
          }
        }
      }
    }
  }

  /// Computes the gradient of the loss with respect to every parameter.
  ///
  /// For layer l with δ_l the gradient at its pre-activations: ∂W_l = δ_lᵀ h_{l−1}, ∂b_l = Σ δ_l, and
  /// δ_{l−1} = δ_l W_l where h_{l−1} > 0. The workspace must hold the forward pass of the same inputs
  /// and the gradient at the logits, as a ``Loss`` leaves it.
  ///
  /// - Parameters:
  ///   - inputs: what the forward pass was given.
  ///   - rows: how many samples.
  ///   - workspace: as the forward pass and the loss left it.
  ///   - gradient: overwritten; laid out as the parameters.
  public func backward(
    _ inputs: [Float], rows: Int, workspace: inout Workspace, gradient: inout [Float]
  ) {
    precondition(gradient.count == parameters.count)
    let parallelism = workspace.parallelism
    parameters.withUnsafeBufferPointer { parameters in
      gradient.withUnsafeMutableBufferPointer { gradient in
        for layer in architecture.layers.reversed() {
          workspace.withGradients(of: layer.index, inputs: inputs) { h, delta, deltaBelow in
            let deltaView = MatrixView(
              UnsafeBufferPointer(delta), rows: rows, columns: layer.outputs)
            multiply(
              deltaView.transposed, MatrixView(h, rows: rows, columns: layer.inputs),
              into: MutableMatrixView(
                UnsafeMutableBufferPointer(rebasing: gradient[layer.weights]),
                rows: layer.outputs, columns: layer.inputs),
              parallelism: parallelism)
            sumRows(
              UnsafeBufferPointer(delta), rows: rows,
              into: UnsafeMutableBufferPointer(rebasing: gradient[layer.biases]))
            guard let deltaBelow else { return }
            let weights = MatrixView(
              UnsafeBufferPointer(rebasing: parameters[layer.weights]), rows: layer.outputs,
              columns: layer.inputs)
            let activations = MatrixView(h, rows: rows, columns: layer.inputs)
            multiply(
              deltaView, weights,
              into: MutableMatrixView(deltaBelow, rows: rows, columns: layer.inputs),
              parallelism: parallelism
            ) { tile, rows, columns in
              maskInactive(tile, activations: activations.rows(rows).columns(columns))
            }
          }
        }
      }
    }
  }
}

extension Workspace {
  /// Lends a layer's inputs and, to be written, its outputs.
  fileprivate mutating func withOutputs(
    of layer: Int, inputs: [Float],
    _ body: (UnsafeBufferPointer<Float>, UnsafeMutableBufferPointer<Float>) -> Void
  ) {
    guard layer > 0 else {
      return inputs.withUnsafeBufferPointer { h in
        activations[0].withUnsafeMutableBufferPointer { body(h, $0) }
      }
    }
    let below = activations[layer - 1]
    below.withUnsafeBufferPointer { h in
      activations[layer].withUnsafeMutableBufferPointer { body(h, $0) }
    }
  }

  /// Lends a layer's inputs, the gradient at its outputs and, to be written, the one at its inputs
  /// (nil for the first layer).
  fileprivate mutating func withGradients(
    of layer: Int, inputs: [Float],
    _ body: (
      UnsafeBufferPointer<Float>, UnsafeMutableBufferPointer<Float>,
      UnsafeMutableBufferPointer<Float>?
    ) -> Void
  ) {
    var delta: [Float] = []
    swap(&delta, &gradients[layer])
    delta.withUnsafeMutableBufferPointer { delta in
      if layer == 0 {
        inputs.withUnsafeBufferPointer { body($0, delta, nil) }
      } else {
        let below = activations[layer - 1]
        below.withUnsafeBufferPointer { h in
          gradients[layer - 1].withUnsafeMutableBufferPointer { body(h, delta, $0) }
        }
      }
    }
    swap(&delta, &gradients[layer])
  }
}
