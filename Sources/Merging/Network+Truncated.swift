import Networks

extension Network {
  /// The network up to a layer, with some units of it alone; their z = W h + b are its logits.
  ///
  /// - Parameters:
  ///   - index: the layer.
  ///   - units: of that layer, at least one; nil for all.
  /// - Returns: a network of `index` + 1 layers.
  func truncated(to index: Int, units: [Int]? = nil) -> Network {
    let layer = architecture.layers[index]
    let units = units ?? Array(0..<layer.outputs)
    guard let shape = Architecture(widths: architecture.widths.prefix(index + 1) + [units.count])
    else { preconditionFailure("layer \(index) of \(architecture) was left no units") }
    var result = Array(parameters[..<layer.offset])
    for unit in units { result += weights(of: unit, layer) }
    for unit in units { result.append(parameters[layer.biases.lowerBound + unit]) }
    return Network(shape, parameters: result)
  }

  /// The incoming weights of one unit.
  func weights(of unit: Int, _ layer: DenseLayer) -> ArraySlice<Float> {
    let start = layer.weights.lowerBound + unit * layer.inputs
    return parameters[start..<start + layer.inputs]
  }

  /// The logits of a batch, samples × outputs.
  func logits(_ batch: Batch, threads: Int = 1) -> Matrix {
    var workspace = Workspace(architecture, capacity: batch.count, threads: threads)
    forward(batch.inputs, rows: batch.count, workspace: &workspace)
    return Matrix(rows: batch.count, columns: architecture.outputs, elements: workspace.logits)
  }
}
