extension Graph {
  /// A graph cut out of another, and where its parameters and buffers lie in the other's blocks.
  public struct Part: Sendable {
    public let graph: Graph
    let parameters: [Range<Int>]
    let buffers: [Range<Int>]
  }

  /// The graph whose output is a node's value of some units: a part with that layer made narrower.
  public func graph(upTo node: Int, units: Int) throws(GraphError) -> Graph {
    let whole = part(upTo: node).graph
    let last = whole.nodes[whole.nodes.count - 1]
    return try Graph(
      input: inputShape,
      whole.nodes.dropLast()
        + [Node(last.name, last.layer.resized(to: units), reads: last.inputs)], isPart: true)
  }

  /// The graph whose output is a node's value: the node, and all that it depends on.
  ///
  /// An image is put out pixel by pixel, its channels side by side.
  public func part(upTo node: Int) -> Part {
    part(nodesBelow([node]), input: inputShape)
  }

  /// The part that some nodes depend on, themselves included.
  ///
  /// Its output is the last of them; there is at least one.
  func part(upTo nodes: [Int]) -> Part { part(nodesBelow(nodes), input: inputShape) }

  /// Some nodes and all that they depend on, in order.
  func nodesBelow(_ some: [Int]) -> [Int] {
    var isNeeded = [Bool](repeating: false, count: nodes.count)
    for node in some { isNeeded[node] = true }
    for index in nodes.indices.reversed() where isNeeded[index] {
      for source in inputs(of: index) { source.map { isNeeded[$0] = true } }
    }
    return nodes.indices.filter { isNeeded[$0] }
  }

  /// The first node and the rest of the graph, whose input is the first node's value; nil if more than the first
  /// node reads the graph's input, or there is no rest.
  public var firstNodeAndRest: (first: Part, rest: Part)? {
    guard nodes.count > 1, shapes.readers[0] == [0], shapes.sources[0] == [0] else { return nil }
    return (
      part([0], input: inputShape),
      part(Array(1..<nodes.count), input: shapes.values[1], reading: nodes[0].name)
    )
  }

  private func part(_ chosen: [Int], input: Shape, reading name: String = inputName) -> Part {
    let kept = chosen.map { index in
      Node(
        nodes[index].name, nodes[index].layer,
        reads: nodes[index].inputs.map { $0 == name ? Self.inputName : $0 })
    }
    let isChosen = Set(chosen)
    do {
      return Part(
        graph: try Graph(input: input, kept, isPart: true),
        parameters: tensors.filter { isChosen.contains($0.node) }.map(\.range),
        buffers: buffers.filter { isChosen.contains($0.node) }.map(\.range))
    } catch {
      preconditionFailure("a part of \(self) is no graph: \(error)")
    }
  }
}

extension Network {
  /// The part of the network that computes a part of its graph.
  public func part(_ part: Graph.Part) -> Network {
    Network(
      part.graph, parameters: part.parameters.flatMap { parameters[$0] },
      buffers: part.buffers.flatMap { buffers[$0] })
  }

  /// The network up to a node, whose value is its output.
  public func part(upTo node: Int) -> Network { part(graph.part(upTo: node)) }
}
