import Networks

extension MergingMethod {
  public static let neuronSelection = MergingMethod(
    name: "neuron-selection",
    summary: "the members' most distinct hidden units and a refitted head; no average",
    needsData: true
  ) { _ in NeuronSelection() }
}

/// Keeps, of all members' hidden units, as many as one network has, and fits the layers above them to the members' outputs.
///
/// Not an average of parameters: nothing is lined up, and the units of a first hidden layer are the members' own.
/// Of the M n units of a layer those n are kept that QR with column pivoting takes first from their activations on
/// training data (centred, and each scaled by the norm of its outgoing weights): each differs most from what those
/// before it can express, and matters to what its network says. What it lacks of the ensemble the least squares
/// fit makes up for:
///
/// - the first layer's rows are copied;
/// - a further hidden layer's are fitted, as in ThiNet and PLeaS (Luo and others 2017; Nasery and others 2025): from the
///   merged network's activations below to what each unit received in its own network;
/// - the head is fitted to the mean of the members' logits.
///
/// On Fashion-MNIST it comes out at the members' mean accuracy, for 3 members as for 16, where averages fall behind it by
/// 1 to 3 points, but not at the ensemble's.
///
/// Fits are ridge regressions with 10⁻⁴ a sample. No labels are used. Memory is that of the activations, samples ×
/// M n floats, at most 256 MB.
public struct NeuronSelection: Merger {
  /// Samples to select on, and those to fit on; fewer if there are fewer.
  private static let (selectionSamples, fitSamples) = (8192, 32_768)
  /// The activations that are held at most; of more than 16 members of 512 units the samples become fewer for it.
  private static let activations = 1 << 26
  private static let ridge = 1e-4

  /// The method.
  public init() {}

  public func apply(to merge: inout Merge, in context: MergeContext) throws {
    guard let batches = context.batches else {
      throw MergeError(
        "neuron-selection compares units by their activations on training data, and there is none")
    }
    let members = merge.members
    let hidden = merge.architecture.hiddenWidths.count
    let stages = 2 * hidden + 1
    var network: Network?
    for layer in merge.architecture.layers {
      guard layer.index < hidden else {
        // Without hidden layers the mean's logits are the mean logits already.
        guard let below = network else { return try NaiveAverage().apply(to: &merge, in: context) }
        let head = try fit(layer, on: below, from: batches, context.threads) { batch in
          let logits = concurrentMap(members.count, threads: context.threads) {
            members[$0].logits(batch).elements
          }
          return Matrix(rows: batch.count, columns: layer.outputs, elements: mean(of: logits))
        }
        network = below.appending(layer, parameters: head)
        break
      }
      let units = select(layer, of: members, from: batches, threads: context.threads)
      context.onStep(2 * layer.index + 1, stages)
      // Each member up to the units that were kept of it, and their places in the merged layer.
      let sources = members.indices.compactMap { member -> (network: Network, places: [Int])? in
        let places = units.indices.filter { units[$0].member == member }
        guard !places.isEmpty else { return nil }
        let own = members[member].truncated(to: layer.index, units: places.map { units[$0].index })
        return (own, places)
      }
      guard let below = network else {
        network = Self.copying(sources.map(\.network))
        continue
      }
      let parameters = try fit(layer, on: below, from: batches, context.threads) { batch in
        let received = concurrentMap(sources.count, threads: context.threads) {
          sources[$0].network.logits(batch)
        }
        var result = Matrix(rows: batch.count, columns: layer.outputs)
        for (source, own) in zip(sources, received) {
          for row in 0..<batch.count {
            for (column, place) in source.places.enumerated() {
              result[row, place] = own[row, column]
            }
          }
        }
        return result
      }
      network = below.appending(layer, parameters: parameters)
      context.onStep(2 * layer.index + 2, stages)
    }
    if let network { merge.replaceNetwork(by: network) }
    context.onStep(stages, stages)
  }

  /// The units of a hidden layer to keep, by member and then by index.
  private func select(
    _ layer: DenseLayer, of members: [Network], from batches: any BatchSource, threads: Int
  ) -> [(member: Int, index: Int)] {
    let (n, columns) = (layer.outputs, members.count * layer.outputs)
    let samples = min(
      Self.selectionSamples, max(Self.activations / columns, 2 * n), batches.sampleCount)
    let below = members.map { $0.truncated(to: layer.index) }
    var activations = Matrix(rows: samples, columns: columns)
    var start = 0
    batches.forFirstSamples(samples) { batch in
      let outputs = concurrentMap(members.count, threads: threads) { below[$0].logits(batch) }
      for (member, output) in outputs.enumerated() {
        for row in 0..<batch.count {
          let target = (start + row) * columns + member * n
          for unit in 0..<n {
            activations.elements[target + unit] = max(output.elements[row * n + unit], 0)
          }
        }
      }
      start += batch.count
    }
    center(&activations, scales: members.flatMap { $0.outgoingNorms(layer) })
    return pivotedColumns(of: activations, count: n, threads: threads).sorted()
      .map { ($0 / n, $0 % n) }
  }

  /// A layer fitted from what a network's outputs are after their ReLU.
  private func fit(
    _ layer: DenseLayer, on below: Network, from batches: any BatchSource, _ threads: Int,
    to targets: (Batch) -> Matrix
  ) throws -> [Float] {
    var fit = LinearFit(features: layer.inputs, targets: layer.outputs)
    batches.forFirstSamples(Self.fitSamples) { batch in
      var features = below.logits(batch, threads: threads)
      for i in features.elements.indices { features.elements[i] = max(features.elements[i], 0) }
      fit.add(features, targets(batch), threads: threads)
    }
    return try fit.parameters(ridge: Self.ridge)
  }

  /// Subtracts each column's mean, and multiplies it by its scale.
  private func center(_ matrix: inout Matrix, scales: [Float]) {
    var means = [Double](repeating: 0, count: matrix.columns)
    for row in 0..<matrix.rows {
      for column in means.indices { means[column] += Double(matrix[row, column]) }
    }
    let shifts = means.map { Float($0 / Double(matrix.rows)) }
    for row in 0..<matrix.rows {
      for column in shifts.indices {
        matrix[row, column] = (matrix[row, column] - shifts[column]) * scales[column]
      }
    }
  }

  /// One layer with the outputs of several, each of a network of one.
  private static func copying(_ networks: [Network]) -> Network {
    var (weights, biases): ([Float], [Float]) = ([], [])
    for network in networks {
      let layer = network.architecture.layers[0]
      weights += network.parameters[layer.weights]
      biases += network.parameters[layer.biases]
    }
    guard let shape = Architecture(widths: [networks[0].architecture.inputs, biases.count])
    else { preconditionFailure("a layer of no units") }
    return Network(shape, parameters: weights + biases)
  }
}

extension Network {
  /// The norm of each unit's weights in the layer above.
  fileprivate func outgoingNorms(_ layer: DenseLayer) -> [Float] {
    let next = architecture.layers[layer.index + 1]
    let weights = weights(next)
    return (0..<layer.outputs).map { unit in
      (0..<next.outputs).reduce(Float(0)) { $0 + weights[$1, unit] * weights[$1, unit] }
        .squareRoot()
    }
  }

  /// The network with one more layer on top.
  fileprivate func appending(_ layer: DenseLayer, parameters more: [Float]) -> Network {
    guard let shape = Architecture(widths: architecture.widths + [layer.outputs]) else {
      preconditionFailure("a layer of no units")
    }
    return Network(shape, parameters: parameters + more)
  }
}
