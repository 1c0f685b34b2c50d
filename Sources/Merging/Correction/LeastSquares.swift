import Networks

extension MergingMethod {
  public static let refitHead = MergingMethod(
    name: "refit-head",
    summary: "fits the merged network's last layer to the members' mean logits", needsData: true
  ) { _ in LeastSquares(.lastLayer) }

  public static let leastSquares = MergingMethod(
    name: "least-squares",
    summary: "fits every layer but the first to the mean of the members' as they are lined up",
    needsData: true
  ) { _ in LeastSquares(.allButFirst) }
}

/// Fits layers of a merged network, one after another, to what the members' layers put out; no labels, no gradients.
///
/// For a layer, with H the merged network's own activations below it (those layers fitted already) and a constant, and T the
/// mean over the members, as they are lined up, of the layer's values before the ReLU, on all N training samples:
///
///     [W b]ᵀ = (HᵀH + λ D)⁻¹ HᵀT,   λ = 10⁻⁴ N,   D = diag(1, …, 1, 0).
///
/// The last layer's T are the members' mean logits. This is the least squares of PLeaS (Nasery, Hayase, Koh & Oh 2025), with H from
/// the network as it comes out where PLeaS takes the mean of the members' activations. The first layer's solution is the
/// average itself, so that stays.
public struct LeastSquares: Merger {
  /// Which layers are fitted.
  public enum Scope: Sendable {
    case lastLayer
    case allButFirst
  }

  public let scope: Scope

  /// The method.
  public init(_ scope: Scope) { self.scope = scope }

  /// λ for each sample.
  static let ridge = 1e-4

  private var name: String { scope == .lastLayer ? "refit-head" : "least-squares" }

  public func apply(to merge: inout Merge, in context: MergeContext) throws {
    let sums = try context.sums(for: name)
    let members = merge.alignedMembers
    let layers = merge.architecture.layers
    let fitted = scope == .lastLayer ? layers.suffix(1) : layers.dropFirst()
    var network = merge.network
    for (place, layer) in fitted.enumerated() {
      let statistic = SampleStatistic(
        .normalEquations(layer: layer.index), of: [network] + members)
      try fit(&network, layer, to: try sums.sum(statistic), sampleCount: sums.sampleCount)
      context.onStep(place + 1, fitted.count)
    }
    merge.replaceNetwork(by: network)
  }

  /// Solves a layer's normal equations into its weights and biases.
  private func fit(
    _ network: inout Network, _ layer: DenseLayer, to sums: [Double], sampleCount: Int
  ) throws(MergeError) {
    let side = layer.inputs + 1
    var matrix = Array(sums[..<(side * side)])
    for feature in 0..<layer.inputs {
      matrix[feature * side + feature] += Self.ridge * Double(sampleCount)
    }
    let solution: [Double]
    do {
      solution = try solvePositiveDefinite(
        matrix, side, Array(sums[(side * side)...]), columns: layer.outputs)
    } catch {
      throw MergeError(
        "\(name): the least squares of layer \(layer.index) have no solution: \(error)")
    }
    for unit in 0..<layer.outputs {
      for feature in 0..<layer.inputs {
        network.parameters[layer.weights.lowerBound + unit * layer.inputs + feature] = Float(
          solution[feature * layer.outputs + unit])
      }
      network.parameters[layer.biases.lowerBound + unit] = Float(
        solution[layer.inputs * layer.outputs + unit])
    }
  }
}
