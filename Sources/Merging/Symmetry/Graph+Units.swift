import Networks
import Tensors

/// What merging asks of a graph: which layers make units, and which read them.
extension Graph {
  /// The weights of a node, the tensor whose rows multiply; nil for a node without.
  func weight(of node: Int) -> TensorLayout? { tensors(of: node).first { $0.role == .weight } }

  /// What a node adds to its units; nil for a node that adds nothing.
  func bias(of node: Int) -> TensorLayout? { tensors(of: node).first { $0.role == .bias } }

  /// The nodes that can be fitted by least squares: their output is linear in their parameters, and mixes units.
  var linearNodes: [Int] { nodes.indices.filter { nodes[$0].layer is Dense } }

  /// The nodes whose units are hidden and can be scaled and shifted by their own weights and biases, in topological order.
  var correctableNodes: [Int] {
    nodes.indices.filter {
      symmetry.groupOfNode[$0] != nil && weight(of: $0) != nil && bias(of: $0) != nil
    }
  }

  /// The linear nodes that mix a group's units.
  func readers(of group: Symmetry.Group) -> [Int] {
    linearNodes.filter { node in
      weight(of: node).map { symmetry.group(of: $0, axis: 1) == group.index } ?? false
    }
  }

  /// The nodes whose values the readers of a group read, each once: the group's activations.
  func activations(of group: Symmetry.Group) -> [Int] {
    var result: [Int] = []
    for reader in readers(of: group) {
      for case .some(let source) in inputs(of: reader) where !result.contains(source) {
        result.append(source)
      }
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
    let node = whole.graph.nodes[last]
    do {
      let graph = try Graph(
        input: whole.graph.inputShape,
        whole.graph.nodes.dropLast() + [Node(node.name, Dense(units.count), reads: node.inputs)])
      return Network(
        graph, parameters: Array(whole.parameters[..<weight.range.lowerBound]) + rows + biases,
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
