import Tensors

extension Network {
  /// Computes the logits of a batch into the workspace, as the network is used: buffers stay as they are.
  ///
  /// - Parameters:
  ///   - inputs: rows × inputs, row by row; may be longer.
  ///   - rows: how many samples, at most the workspace's capacity.
  ///   - workspace: holds the logits afterwards, and all values if it is for training.
  public func forward(_ inputs: [Float], rows: Int, workspace: inout Workspace) {
    graph.forward(
      inputs, rows: rows, parameters: parameters, buffers: buffers, updated: nil,
      workspace: &workspace)
  }

  /// Computes the logits of a batch as training does: layers that keep statistics update them.
  ///
  /// - Parameters:
  ///   - inputs: rows × inputs, row by row; may be longer.
  ///   - rows: how many samples, at most the workspace's capacity.
  ///   - workspace: for training; holds all values afterwards.
  public mutating func forwardTraining(_ inputs: [Float], rows: Int, workspace: inout Workspace) {
    let (graph, parameters, before) = (graph, parameters, buffers)
    buffers.withUnsafeMutableBufferPointer { updated in
      graph.forward(
        inputs, rows: rows, parameters: parameters, buffers: before, updated: updated,
        workspace: &workspace)
    }
  }

  /// Computes the gradient of the loss with respect to every parameter.
  ///
  /// The workspace must hold a forward pass of the same inputs and the gradient at the logits, as a ``Loss`` leaves it.
  ///
  /// - Parameters:
  ///   - inputs: what the forward pass was given.
  ///   - rows: how many samples.
  ///   - workspace: as the forward pass and the loss left it.
  ///   - gradient: overwritten; laid out as the parameters.
  public func backward(
    _ inputs: [Float], rows: Int, workspace: inout Workspace, gradient: inout [Float]
  ) {
    precondition(gradient.count == parameters.count && workspace.purpose == .training)
    graph.backward(
      inputs, rows: rows, parameters: parameters, workspace: &workspace, gradient: &gradient)
  }
}

extension Graph {
  fileprivate func forward(
    _ inputs: [Float], rows: Int, parameters: [Float], buffers: [Float],
    updated: UnsafeMutableBufferPointer<Float>?, workspace: inout Workspace
  ) {
    precondition(workspace.graph == self && rows <= workspace.capacity)
    precondition(inputs.count >= rows * self.inputs)
    let inputs = readsChannels ? pixels(of: inputs, rows: rows, workspace: &workspace) : inputs
    let ranges = plan.steps.map { step in
      (
        inputs: step.inputs.map { workspace.range(ofValue: $0, rows: rows) },
        output: workspace.range(ofValue: step.output, rows: rows)
      )
    }
    let (savedRanges, parallelism) = (workspace.savedRanges, workspace.parallelism)
    inputs.withUnsafeBufferPointer { inputs in
      parameters.withUnsafeBufferPointer { parameters in
        buffers.withUnsafeBufferPointer { buffers in
          workspace.values.withUnsafeMutableBufferPointer { values in
            workspace.saved.withUnsafeMutableBufferPointer { saved in
              for (place, step) in plan.steps.enumerated() {
                guard let output = ranges[place].output else { continue }
                nodes[step.node].layer.forward(
                  ForwardPass(
                    rows: rows,
                    inputs: ranges[place].inputs.map { range in
                      range.map { UnsafeBufferPointer(rebasing: values[$0]) } ?? inputs
                    },
                    inputShapes: shapes.inputs(of: step.node),
                    output: UnsafeMutableBufferPointer(rebasing: values[output]),
                    isRectified: step.isRectified,
                    parameters: step.parameters.map {
                      UnsafeBufferPointer(rebasing: parameters[$0])
                    },
                    buffers: step.buffers.map { UnsafeBufferPointer(rebasing: buffers[$0]) },
                    updatedBuffers: updated.map { updated in
                      step.buffers.map { UnsafeMutableBufferPointer(rebasing: updated[$0]) }
                    },
                    saved: UnsafeMutableBufferPointer(rebasing: saved[savedRanges[place]]),
                    parallelism: parallelism))
              }
            }
          }
        }
      }
    }
  }

  /// Inputs pixel by pixel, kept for the backward pass.
  private func pixels(of inputs: [Float], rows: Int, workspace: inout Workspace) -> [Float] {
    let (channels, pixels) = (inputShape[0], inputShape[1] * inputShape[2])
    inputs.withUnsafeBufferPointer { inputs in
      workspace.pixels.withUnsafeMutableBufferPointer { out in
        guard let inputs = inputs.baseAddress, let out = out.baseAddress else { return }
        transposeImages(inputs, rows: rows, from: channels, by: pixels) { out[$0] = $1 }
      }
    }
    return workspace.pixels
  }

  fileprivate func backward(
    _ inputs: [Float], rows: Int, parameters: [Float], workspace: inout Workspace,
    gradient: inout [Float]
  ) {
    precondition(workspace.graph == self && rows <= workspace.capacity)
    let inputs = readsChannels ? workspace.pixels : inputs
    let ranges = plan.steps.map { step in
      (
        inputs: step.inputs.map { workspace.range(ofValue: $0, rows: rows) },
        output: workspace.range(ofValue: step.output, rows: rows),
        inputGradients: step.inputs.map { workspace.range(ofGradient: $0, rows: rows) },
        outputGradient: workspace.range(ofGradient: step.output, rows: rows)
      )
    }
    let (savedRanges, parallelism) = (workspace.savedRanges, workspace.parallelism)
    let (allValues, allSaved) = (workspace.values, workspace.saved)
    inputs.withUnsafeBufferPointer { inputs in
      parameters.withUnsafeBufferPointer { parameters in
        allValues.withUnsafeBufferPointer { values in
          allSaved.withUnsafeBufferPointer { saved in
            workspace.gradients.withUnsafeMutableBufferPointer { gradients in
              gradient.withUnsafeMutableBufferPointer { gradient in
                for (place, step) in plan.steps.enumerated().reversed() {
                  let own = ranges[place]
                  guard let output = own.output, let outputGradient = own.outputGradient else {
                    continue
                  }
                  let written = UnsafeBufferPointer(rebasing: values[output])
                  let delta = UnsafeMutableBufferPointer(rebasing: gradients[outputGradient])
                  if step.masksOutput { maskInactive(delta, where: written) }
                  let read = own.inputs.map { range in
                    range.map { UnsafeBufferPointer(rebasing: values[$0]) } ?? inputs
                  }
                  nodes[step.node].layer.backward(
                    BackwardPass(
                      rows: rows, inputs: read, inputShapes: shapes.inputs(of: step.node),
                      output: written, outputGradient: UnsafeBufferPointer(delta),
                      parameters: step.parameters.map {
                        UnsafeBufferPointer(rebasing: parameters[$0])
                      },
                      saved: UnsafeBufferPointer(rebasing: saved[savedRanges[place]]),
                      parameterGradients: step.parameters.map {
                        UnsafeMutableBufferPointer(rebasing: gradient[$0])
                      },
                      inputGradients: own.inputGradients.enumerated().map { input, range in
                        range.map {
                          InputGradient(
                            values: UnsafeMutableBufferPointer(rebasing: gradients[$0]),
                            isAdded: step.addsGradient[input],
                            mask: step.masksInputs[input] ? read[input] : nil)
                        }
                      },
                      parallelism: parallelism))
                }
              }
            }
          }
        }
      }
    }
  }
}
