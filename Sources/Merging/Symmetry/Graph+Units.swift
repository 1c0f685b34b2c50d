import Networks
import Tensors

/// What merging asks of a graph: which layers make units, and which read them.
extension Graph {
  /// The weights of a node, the tensor whose rows multiply; nil for a node without.
  func weight(of node: Int) -> TensorLayout? { tensors(of: node).first { $0.role == .weight } }

  /// What a node adds to its units; nil for a node that adds nothing.
  func bias(of node: Int) -> TensorLayout? { tensors(of: node).first { $0.role == .bias } }

  /// The nodes whose units are sums over the units that they read: dense layers, and convolutions without groups.
  var mixingNodes: [Int] {
    nodes.indices.filter {
      nodes[$0].layer is Dense || (nodes[$0].layer as? Conv2d)?.groups == 1
    }
  }

  /// The nodes that can be fitted by least squares: they mix units, and have biases.
  var linearNodes: [Int] { mixingNodes.filter { bias(of: $0) != nil } }

  /// How many units a node's value has, and how many pixels a sample of it has: channels and their pixels, or numbers of a vector.
  func unitsAndPixels(of node: Int) -> (units: Int, pixels: Int) {
    let shape = shape(of: node)
    return (shape[0], shape.dropFirst().reduce(1, *))
  }

  /// The nodes whose units are hidden and can be scaled and shifted by their own weights and biases, in topological order.
  var correctableNodes: [Int] {
    nodes.indices.filter {
      symmetry.groupOfNode[$0] != nil && weight(of: $0) != nil && bias(of: $0) != nil
    }
  }

  /// Where a node's weights number units that it reads: which group's, and how many columns of a row each has.
  struct Columns: Sendable {
    let group: Int
    /// Of each column of a row of weights, the unit.
    let units: [Int]
  }

  /// The hidden units that a mixing node reads; nil if it reads none, or units of several groups.
  func columns(of node: Int) -> Columns? {
    guard let weight = weight(of: node), weight.shape.count > 1 else { return nil }
    let found = symmetry.groups.flatMap { group in
      group.places.filter { !$0.isBuffer && $0.axis == 1 && $0.tensor == weight }.map {
        (group: group.index, place: $0)
      }
    }
    guard found.count == 1 else { return nil }
    let taps = weight.shape.dropFirst(2).reduce(1, *)
    var units = [Int](repeating: -1, count: weight.columns)
    for (unit, entries) in found[0].place.entries.enumerated() {
      for entry in entries { for tap in 0..<taps { units[entry * taps + tap] = unit } }
    }
    return units.contains(-1) ? nil : Columns(group: found[0].group, units: units)
  }

  /// Whether all groups number whole axes, a run of columns for each unit: what matrices of units can mix.
  var hasSimpleGroups: Bool {
    symmetry.groups.flatMap(\.places).allSatisfy { place in
      place.isBuffer || (place.axis == 0 && place.isWholeAxis)
        || (place.axis == 1 && place.offset == 0 && place.outer == 1
          && place.count * place.block == place.tensor.shape[1]
          && mixingNodes.contains(place.tensor.node))
    }
  }

  /// The nodes that mix a group's units, and no others.
  func readers(of group: Symmetry.Group) -> [Int] {
    mixingNodes.filter { columns(of: $0)?.group == group.index }
  }

  /// The node whose value a mixing node reads, as an image where a vector was made of one; nil for the graph's input.
  func source(of node: Int) -> Int? {
    guard case .some(let source) = inputs(of: node)[0] else { return nil }
    return nodes[source].layer is Flatten ? inputs(of: source)[0] : source
  }

  /// The nodes whose values the readers of a group read, each once: the group's activations.
  func activations(of group: Symmetry.Group) -> [Int] {
    var result: [Int] = []
    for reader in readers(of: group) {
      guard let source = source(of: reader), !result.contains(source) else { continue }
      result.append(source)
    }
    return result
  }
}

extension Network {
  /// The network up to a linear node, with some of its units alone.
  ///
  /// - Parameters:
  ///   - node: the node.
  ///   - units: of its outputs, at least one.
  /// - Returns: a network whose outputs are these units' values.
  func part(upTo node: Int, units: [Int]) -> Network {
    let whole = part(upTo: node)
    let last = whole.graph.nodes.count - 1
    guard let weight = whole.graph.weight(of: last), let bias = whole.graph.bias(of: last) else {
      preconditionFailure("\(whole.graph.nodes[last].name) is not linear")
    }
    let columns = weight.columns
    let rows = units.flatMap { unit -> ArraySlice<Float> in
      let start = weight.range.lowerBound + unit * columns
      return whole.parameters[start..<start + columns]
    }
    let biases = units.map { whole.parameters[bias.range.lowerBound + $0] }
    do {
      return Network(
        try graph.graph(upTo: node, units: units.count),
        parameters: Array(whole.parameters[..<weight.range.lowerBound]) + rows + biases,
        buffers: whole.buffers)
    } catch {
      preconditionFailure("a part of \(graph) is no graph: \(error)")
    }
  }

  /// The outputs of some samples, rows × outputs.
  func outputs(_ inputs: [Float], rows: Int, threads: Int = 1) -> [Float] {
    var workspace = Workspace(graph, capacity: rows, threads: threads, purpose: .inference)
    forward(inputs, rows: rows, workspace: &workspace)
    return workspace.logits
  }
}
