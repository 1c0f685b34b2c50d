import Networks

/// What a network's layers compute, in double precision and with loops over single elements.
struct DoubleLayers {
  let network: Network

  /// The values of a layer's units before the ReLU, for one sample after another.
  func preActivations(_ inputs: [Float], layer: Int) -> [[Double]] {
    samples(inputs).map { sample in
      var h = sample
      for index in 0..<layer { h = apply(index, h).map { max($0, 0) } }
      return apply(layer, h)
    }
  }

  /// What a layer puts out after the ReLU; layer −1 are the inputs.
  func activations(_ inputs: [Float], layer: Int) -> [[Double]] {
    guard layer >= 0 else { return samples(inputs) }
    return preActivations(inputs, layer: layer).map { $0.map { max($0, 0) } }
  }

  private func samples(_ inputs: [Float]) -> [[Double]] {
    let features = network.graph.inputs
    return stride(from: 0, to: inputs.count, by: features).map {
      inputs[$0..<$0 + features].map(Double.init)
    }
  }

  private func apply(_ index: Int, _ h: [Double]) -> [Double] {
    let layer = network.graph.layers[index]
    let (weights, biases) = (network.weights(layer), network.biases(layer))
    return (0..<layer.outputs).map { output in
      (0..<layer.inputs).reduce(Double(biases[output])) {
        $0 + Double(weights[output, $1]) * h[$1]
      }
    }
  }
}

/// The mean and the standard deviation of every column.
func columnMoments(_ rows: [[Double]]) -> (means: [Double], deviations: [Double]) {
  let count = Double(rows.count)
  let means = rows[0].indices.map { column in rows.reduce(0) { $0 + $1[column] } / count }
  let deviations = rows[0].indices.map { column in
    (rows.reduce(0) { $0 + ($1[column] - means[column]) * ($1[column] - means[column]) } / count)
      .squareRoot()
  }
  return (means, deviations)
}

/// The largest difference of two arrays, element by element; infinity if their lengths differ.
func largestDifference(_ a: [Double], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).reduce(0) { max($0, ($1.0 - $1.1).isNaN ? .infinity : abs($1.0 - $1.1)) }
}
