import Networks

extension MergeMethod {
  public static let refitHead = MergeMethod(
    "refit-head", "fits the merged network's last layer to the members' mean logits",
    needs: .trainingData, isShared: true
  ) { _ in LeastSquares(.lastLayer) }

  public static let leastSquares = MergeMethod(
    "least-squares",
    "fits every layer but the first to the mean of the members' as they are lined up",
    needs: .trainingData, isShared: true, folds: true
  ) { _ in LeastSquares(.allButFirst) }
}

/// Fits layers of a merged network, one after another, to what the members' layers put out; no labels, no gradients.
///
/// For a layer, with H the merged network's own activations below it (those layers fitted already) and a constant, and T the
/// mean over the members, as they are lined up, of the layer's values before the ReLU, on all N training samples:
///
///     [W b]ᵀ = (HᵀH + λ D)⁻¹ HᵀT,   λ = 10⁻⁴ N,   D = diag(1, …, 1, 0).
///
/// A convolution is fitted from what each pixel reads (im2col), with N the pixels, of ``MergeResources/mostImages`` images. The last
/// layer's T are the members' mean logits. This is the least squares of PLeaS (Nasery, Hayase, Koh & Oh 2025), with H from
/// the network as it comes out where PLeaS takes the mean of the members' activations. The solution of a layer that reads
/// the samples themselves is the average, so that stays.
public struct LeastSquares: MergeStep {
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

  public func apply(to state: inout MergeState, with resources: MergeResources) throws {
    let members = state.alignedMembers
    let graph = state.graph
    let sums =
      scope == .lastLayer
      ? try resources.sums(for: name) : try resources.sums(for: name, of: graph)
    let output = graph.nodes.count - 1
    let fitted = graph.linearNodes.filter {
      scope == .lastLayer ? $0 == output : graph.inputs(of: $0)[0] != nil
    }
    guard scope != .lastLayer || !fitted.isEmpty else {
      throw MergeError(
        "\(name): the networks end in \(graph.nodes[output].name), which is no dense layer;"
          + " least-squares fits those that are")
    }
    var network = scope == .lastLayer ? state.network : try state.network(for: name)
    for (place, node) in fitted.enumerated() {
      let statistic = SampleStatistic(.normalEquations, at: node, of: [network] + members)
      let equations = NormalEquations(
        features: statistic.inputs, targets: statistic.units, sums: try sums.sum(statistic))
      try fit(&network, node, to: equations)
      resources.onStep(place + 1, fitted.count)
    }
    state.replaceNetwork(by: network)
  }

  private func fit(
    _ network: inout Network, _ node: Int, to equations: NormalEquations
  ) throws(MergeError) {
    do {
      network.setLayer(node, try equations.layer(ridge: Self.ridge))
    } catch {
      throw MergeError(
        "\(name): the least squares of \(network.graph.nodes[node].name) have no solution: \(error)",
        isAboutWeights: error.isAboutWeights)
    }
  }
}

extension Network {
  /// Gives a dense node other weights (outputs × inputs) and biases.
  mutating func setLayer(_ node: Int, _ layer: (weights: [Float], biases: [Float])) {
    guard let weight = graph.weight(of: node), let bias = graph.bias(of: node) else { return }
    parameters.replaceSubrange(weight.range, with: layer.weights)
    parameters.replaceSubrange(bias.range, with: layer.biases)
  }
}
