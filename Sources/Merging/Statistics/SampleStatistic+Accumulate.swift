import Networks

extension SampleStatistic {
  /// Adds what a chunk of samples contributes.
  ///
  /// Products over the chunk are taken in single precision, sums over units' values and over chunks in double: the
  /// result is good to about 10⁻⁶ of the largest term. One thread; the bits depend on how samples are cut into chunks.
  ///
  /// - Parameters:
  ///   - inputs: the samples, rows × features; may be longer.
  ///   - rows: how many samples; a thousand fill the vector units well.
  ///   - sums: ``count`` numbers, added to.
  public func accumulate(inputs: [Float], rows: Int, into sums: inout [Double]) {
    precondition(sums.count == count, "\(sums.count) sums for a statistic of \(count)")
    precondition(inputs.count >= rows * networks[0].architecture.inputs)
    guard rows > 0 else { return }
    switch kind {
    case .preActivationMoments: addMoments(inputs, rows, to: &sums)
    case .activationProducts: addProducts(inputs, rows, to: &sums)
    case .normalEquations: addNormalEquations(inputs, rows, to: &sums)
    }
  }

  private func addMoments(_ inputs: [Float], _ rows: Int, to sums: inout [Double]) {
    let units = layer.outputs
    var workspace = Workspace(networks[0].architecture, capacity: rows)
    for (place, network) in networks.enumerated() {
      network.forward(inputs, rows: rows, workspace: &workspace)
      addColumnMoments(
        workspace.logits, rows: rows, columns: units, to: &sums, at: place * 2 * units)
    }
  }

  private func addProducts(_ inputs: [Float], _ rows: Int, to sums: inout [Double]) {
    let units = layer.outputs
    let products = networks.count * 2 * units
    var workspace = Workspace(networks[0].architecture, capacity: rows)
    var reference: [Float] = []
    for (place, network) in networks.enumerated() {
      network.forward(inputs, rows: rows, workspace: &workspace)
      let activations = rectified(workspace.logits)
      addColumnMoments(
        activations, rows: rows, columns: units, to: &sums, at: place * 2 * units)
      if place == 0 {
        reference = activations
      } else {
        addProduct(
          reference, units, activations, units, rows: rows, to: &sums,
          at: products + (place - 1) * units * units, stride: units)
      }
    }
  }

  private func addNormalEquations(_ inputs: [Float], _ rows: Int, to sums: inout [Double]) {
    let (features, units) = (layer.inputs, layer.outputs)
    var workspace = Workspace(networks[0].architecture, capacity: rows)
    networks[0].forward(inputs, rows: rows, workspace: &workspace)
    let below = layer.index == 0 ? inputs : workspace.outputs(ofLayer: layer.index - 1)
    let targets = mean(
      of: networks.dropFirst().map { network in
        network.forward(inputs, rows: rows, workspace: &workspace)
        return workspace.logits
      })

    // The column and the row of the ones are sums, and exact in double precision.
    let side = features + 1
    addProduct(below, features, below, features, rows: rows, to: &sums, at: 0, stride: side)
    addProduct(
      below, features, targets, units, rows: rows, to: &sums, at: side * side, stride: units)
    for (feature, sum) in columnSums(below, rows: rows, columns: features).enumerated() {
      sums[feature * side + features] += sum
      sums[features * side + feature] += sum
    }
    sums[side * side - 1] += Double(rows)
    for (unit, sum) in columnSums(targets, rows: rows, columns: units).enumerated() {
      sums[side * side + features * units + unit] += sum
    }
  }
}

// MARK: - Kernels

/// Σ x and, after them, Σ x² of every column, added to numbers from `start` on.
private func addColumnMoments(
  _ x: [Float], rows: Int, columns: Int, to sums: inout [Double], at start: Int
) {
  var sums = sums.mutableSpan
  let x = x.span
  for row in 0..<rows {
    for column in 0..<columns {
      let value = Double(x[row * columns + column])
      sums[start + column] += value
      sums[start + columns + column] += value * value
    }
  }
}

/// Σ x of every column.
private func columnSums(_ x: [Float], rows: Int, columns: Int) -> [Double] {
  var result = [Double](repeating: 0, count: columns)
  var sums = result.mutableSpan
  let x = x.span
  for row in 0..<rows {
    for column in 0..<columns { sums[column] += Double(x[row * columns + column]) }
  }
  return result
}

/// AᵀB of two matrices of `rows` rows, added to the numbers from `start` on, whose rows are `stride` apart.
private func addProduct(
  _ a: [Float], _ aColumns: Int, _ b: [Float], _ bColumns: Int, rows: Int,
  to sums: inout [Double], at start: Int, stride: Int
) {
  var product = Matrix(rows: aColumns, columns: bColumns)
  product.withMutableView { product in
    a.withUnsafeBufferPointer { a in
      b.withUnsafeBufferPointer { b in
        multiply(
          MatrixView(a, rows: rows, columns: aColumns).transposed,
          MatrixView(b, rows: rows, columns: bColumns), into: product)
      }
    }
  }
  var sums = sums.mutableSpan
  let elements = product.elements.span
  for row in 0..<aColumns {
    for column in 0..<bColumns {
      sums[start + row * stride + column] += Double(elements[row * bColumns + column])
    }
  }
}

private func rectified(_ z: [Float]) -> [Float] {
  var result = z
  var h = result.mutableSpan
  for i in h.indices { h[i] = max(h[i], 0) }
  return result
}
