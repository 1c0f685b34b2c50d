import Tensors

/// A graph in which each batch normalisation is part of the layer before it, for networks that are used and not trained.
///
/// A convolution or dense layer z = W h + b under running statistics is one affine map:
///
///     w (W h + b − μ)/√(σ² + ε) + β = (s W) h + s (b − μ) + β,   s = w/√(σ² + ε)
///
/// So members with batch normalisation are compared, fitted and averaged as what they compute, with no statistics that would be
/// another network's. Groups of units keep their numbers.
public struct FoldedGraph: Sendable {
  /// The graph without the normalisations.
  public let graph: Graph
  public let original: Graph

  /// A layer and the normalisation behind it, by number in ``original``, and the layer's in ``graph``.
  private struct Pair: Sendable {
    let layer: Int
    let normalization: Int
    let folded: Int
  }

  private let pairs: [Pair]

  /// A graph with batch normalisations, folded; nil if it has none.
  ///
  /// - Throws: ``GraphError`` naming a normalisation that has no convolution or dense layer of its own before it.
  public init?(_ original: Graph) throws(GraphError) {
    let normalizations = original.nodes.indices.filter { original.nodes[$0].layer is BatchNorm }
    guard !normalizations.isEmpty else { return nil }
    var folded: [Int: Int] = [:]
    for node in normalizations {
      guard case .some(let layer) = original.inputs(of: node)[0],
        original.readers(of: layer) == [node],
        original.nodes[layer].layer is Dense || original.nodes[layer].layer is Conv2d
      else {
        throw GraphError(
          original.nodes[node].name,
          "normalises what no convolution or dense layer gives it alone, and cannot be folded into one"
        )
      }
      folded[layer] = node
    }
    let names = folded.reduce(into: [String: String]()) {
      $0[original.nodes[$1.value].name] = original.nodes[$1.key].name
    }
    let kept = original.nodes.indices.filter { !normalizations.contains($0) }
    let nodes = kept.map { index in
      let node = original.nodes[index]
      return Node(
        node.name, folded[index] == nil ? node.layer : node.layer.withBias,
        reads: node.inputs.map { names[$0] ?? $0 })
    }
    graph = try Graph(input: original.inputShape, nodes)
    self.original = original
    var pairs: [Pair] = []
    for (place, index) in kept.enumerated() {
      guard let node = folded[index] else { continue }
      pairs.append(Pair(layer: index, normalization: node, folded: place))
    }
    self.pairs = pairs
    precondition(
      graph.symmetry.groups.map(\.count) == original.symmetry.groups.map(\.count)
        && graph.nodes.indices.allSatisfy { graph.nodes[$0].name == original.nodes[kept[$0]].name },
      "folding renumbers the units of \(original)")
  }

  /// The nodes of ``graph`` that a normalisation was folded into.
  public var foldedNodes: [Int] { pairs.map(\.folded) }

  /// A network of ``original`` as one of ``graph`` that computes the same.
  public func folded(_ network: Network) -> Network {
    precondition(network.graph == original)
    var result = Network(
      graph, parameters: Array(repeating: 0, count: graph.parameterCount))
    copy(network, to: &result)
    for pair in pairs {
      let (weight, bias) = original.affineTensors(of: pair.layer)
      let (ownWeight, ownBias) = graph.affineTensors(of: pair.folded)
      let (gain, shift) = original.affineTensors(of: pair.normalization)
      let statistics = original.buffers.filter { $0.node == pair.normalization }
      guard let layer = original.nodes[pair.normalization].layer as? BatchNorm, let weight,
        let ownWeight, let ownBias, let gain, let shift
      else { continue }
      for unit in 0..<weight.shape[0] {
        func kept(_ place: Int) -> Double {
          Double(network.buffers[statistics[place].range.lowerBound + unit])
        }
        func own(_ tensor: TensorLayout) -> Double {
          Double(network.parameters[tensor.range.lowerBound + unit])
        }
        let scale = own(gain) / (kept(1) + Double(layer.epsilon)).squareRoot()
        let start = weight.range.lowerBound + unit * weight.columns
        let target = ownWeight.range.lowerBound + unit * weight.columns
        for column in 0..<weight.columns {
          result.parameters[target + column] = Float(
            scale * Double(network.parameters[start + column]))
        }
        let before = bias.map(own) ?? 0
        result.parameters[ownBias.range.lowerBound + unit] = Float(
          scale * (before - kept(0)) + own(shift))
      }
    }
    return result
  }

  /// A network of ``graph``, or of one with other numbers of units, as one with batch normalisations that computes the same.
  ///
  /// The normalisations get the statistics of what the layers give them, where those are known, so that training can go on from
  /// them; else a mean of zero and a variance of one.
  ///
  /// - Parameters:
  ///   - network: the network.
  ///   - moments: the mean and the variance of each unit of each of ``foldedNodes``, in their order; nil if they are not known.
  /// - Returns: a network of ``original``, resized as `network` is.
  /// - Throws: ``GraphError`` if the original cannot be resized so.
  public func unfolded(
    _ network: Network, moments: [(means: [Double], variances: [Double])]? = nil
  ) throws(GraphError) -> Network {
    guard network.graph == graph else {
      let wide = try original.resized(to: network.graph.symmetry.groups.map(\.count))
      guard let folding = try FoldedGraph(wide), folding.graph == network.graph else {
        throw GraphError(nil, "\(network.graph) is not \(original) with other numbers of units")
      }
      return try folding.unfolded(network, moments: moments)
    }
    var result = Network(
      original, parameters: Array(repeating: 0, count: original.parameterCount))
    copy(network, to: &result)
    for (place, pair) in pairs.enumerated() {
      let (weight, _) = original.affineTensors(of: pair.layer)
      let (ownWeight, ownBias) = graph.affineTensors(of: pair.folded)
      let (gain, shift) = original.affineTensors(of: pair.normalization)
      let statistics = original.buffers.filter { $0.node == pair.normalization }
      guard let layer = original.nodes[pair.normalization].layer as? BatchNorm, let weight,
        let ownWeight, let ownBias, let gain, let shift
      else { continue }
      result.parameters.replaceSubrange(weight.range, with: network.parameters[ownWeight.range])
      for unit in 0..<weight.shape[0] {
        let bias = Double(network.parameters[ownBias.range.lowerBound + unit])
        // Of W h alone; the layer's own bias, if it has one, stays zero.
        let mean = moments.map { $0[place].means[unit] - bias } ?? 0
        let variance = Float(moments?[place].variances[unit] ?? 1)
        result.buffers[statistics[0].range.lowerBound + unit] = Float(mean)
        result.buffers[statistics[1].range.lowerBound + unit] = variance
        result.parameters[gain.range.lowerBound + unit] = (variance + layer.epsilon).squareRoot()
        result.parameters[shift.range.lowerBound + unit] = Float(bias + Double(Float(mean)))
      }
    }
    return result
  }

  /// Copies the tensors of nodes that folding leaves alone.
  private func copy(_ network: Network, to other: inout Network) {
    let names = Set(
      pairs.flatMap { [$0.layer, $0.normalization] }.map { original.nodes[$0].name })
    for tensor in network.graph.tensors where !names.contains(network.graph.nodes[tensor.node].name)
    {
      guard let target = other.graph.tensors.first(where: { $0.name == tensor.name }) else {
        continue
      }
      other.parameters.replaceSubrange(target.range, with: network.parameters[tensor.range])
    }
  }
}

extension Graph {
  /// The weights and the biases of a node.
  fileprivate func affineTensors(of node: Int) -> (weight: TensorLayout?, bias: TensorLayout?) {
    let own = tensors(of: node)
    return (own.first { $0.role == .weight }, own.first { $0.role == .bias })
  }
}

extension Layer {
  /// A convolution with biases, if it had none; else the layer.
  fileprivate var withBias: any Layer {
    guard let layer = self as? Conv2d, !layer.hasBias else { return self }
    return Conv2d(
      layer.outputs, kernel: layer.kernel, stride: layer.stride, padding: layer.padding,
      dilation: layer.dilation, groups: layer.groups)
  }
}
