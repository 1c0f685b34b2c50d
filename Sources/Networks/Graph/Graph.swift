import Tensors

/// A network's shape: layers that read each other's values, from one input to one output of logits.
///
/// Nodes stand in topological order. The parameters of all layers lie in one flat block, and what is kept but not learned in
/// another, laid out as ``tensors`` and ``buffers`` say, with PyTorch's names.
///
///     let graph = Graph("784-512-10")          // a family's text
///     let own = try Graph(input: [8], [
///       Node("stem", Dense(6), reads: "input"),
///       Node("act", ReLU(), reads: "stem"),
///       Node("sum", Add(), reads: "stem", "act"),
///       Node("head", Dense(4), reads: "sum"),
///     ])
public struct Graph: Sendable {
  /// What the input is called in ``Node/inputs``.
  public static let inputName = "input"

  /// The shape of a sample of the input.
  public let inputShape: Shape

  /// In topological order.
  public let nodes: [Node]

  /// The tensors of the block of parameters, in its order.
  public let tensors: [TensorLayout]

  /// The tensors of the block of buffers, in its order.
  public let buffers: [TensorLayout]

  /// How many parameters a network has.
  public let parameterCount: Int

  /// How many floats of buffers it has.
  public let bufferCount: Int

  /// The sets of units that may be reordered together.
  public let symmetry: Symmetry

  /// The text of a family, if the graph came from one.
  private let familyText: String?

  let shapes: Shapes
  private(set) var plan: Plan

  /// A graph of nodes in any order that reads only what is there.
  ///
  /// - Parameters:
  ///   - input: the shape of a sample.
  ///   - nodes: at least one; of those that could come next, the first given does.
  ///   - familyText: by which text a family makes the graph; nil for none.
  ///   - limit: the most parameters it may have.
  /// - Throws: ``GraphError`` naming the node that reads itself or what is not there, whose inputs do not fit, or whose
  ///   value nobody reads.
  public init(
    input: Shape, _ nodes: [Node], familyText: String? = nil, limit: Int = 1 << 30
  ) throws(GraphError) {
    try self.init(input: input, nodes, familyText: familyText, limit: limit, isPart: false)
  }

  /// A graph; one that is part of another may put out images.
  init(
    input: Shape, _ nodes: [Node], familyText: String? = nil, limit: Int = 1 << 30, isPart: Bool
  ) throws(GraphError) {
    let nodes = try Self.sorted(nodes)
    let shapes = try Shapes(input: input, nodes, isPart: isPart)
    inputShape = input
    self.nodes = nodes
    self.shapes = shapes
    self.familyText = familyText
    var layout = BlockLayout(limit: limit)
    var kept = BlockLayout(limit: limit)
    for (index, node) in nodes.enumerated() {
      let inputs = shapes.inputs(of: index)
      for declaration in node.layer.parameters(of: inputs) {
        try layout.append(declaration, of: index, named: node.name)
      }
      for declaration in node.layer.buffers(of: inputs) {
        try kept.append(declaration, of: index, named: node.name)
      }
    }
    (tensors, parameterCount) = (layout.tensors, layout.end)
    (buffers, bufferCount) = (kept.tensors, kept.end)
    symmetry = Symmetry(nodes, shapes, tensors: layout.tensors, buffers: kept.tensors)
    plan = Plan(nodes, shapes, tensors: layout.tensors, buffers: kept.tensors)
  }

  /// What is known of an exported network: its tensors, with their names in PyTorch, and its symmetry.
  ///
  /// A network of such a graph can be permuted, averaged and matched by its weights, and not run (``canRun``).
  ///
  /// - Parameters:
  ///   - exported: the operators.
  ///   - limit: the most parameters it may have.
  /// - Throws: ``GraphError`` if it has more, or none.
  public init(_ exported: ExportedGraph, limit: Int = 1 << 32) throws(GraphError) {
    var layout = BlockLayout(limit: limit)
    var kept = BlockLayout(limit: limit)
    for tensor in exported.parameters { try layout.append(.of(tensor), of: 0, named: "") }
    for tensor in exported.buffers { try kept.append(.of(tensor), of: 0, named: "") }
    guard layout.end > 0 else { throw GraphError(nil, "it has no parameters that are floats") }
    let derived = ExportedSymmetry(exported, parameters: layout.tensors, buffers: kept.tensors)
    inputShape = [1]
    nodes = [
      Node(
        exported.name, ExportedNetwork(exported: exported, derived: derived),
        reads: Self.inputName)
    ]
    shapes = try Shapes(input: inputShape, nodes, isPart: false)
    familyText = exported.fingerprint
    (tensors, parameterCount) = (layout.tensors, layout.end)
    (buffers, bufferCount) = (kept.tensors, kept.end)
    symmetry = derived.symmetry
    plan = Plan(nodes, shapes, tensors: layout.tensors, buffers: kept.tensors)
  }

  /// How many numbers a sample of the input has.
  public var inputs: Int { inputShape.reduce(1, *) }

  /// Whether a layer reads or puts out an image, as convolutions do.
  public var hasImages: Bool { shapes.values.contains { $0.count > 1 } }

  /// Whether samples are images of several channels, which are put pixel by pixel before they are read.
  var readsChannels: Bool { inputShape.count == 3 && inputShape[0] > 1 }

  /// How many numbers a sample of the output has: the classes.
  public var outputs: Int { shapes.values[nodes.count].reduce(1, *) }

  /// The shape of a sample of a node's value.
  public func shape(of node: Int) -> Shape { shapes.values[node + 1] }

  /// The shapes of what a node reads.
  public func inputShapes(of node: Int) -> [Shape] { shapes.inputs(of: node) }

  /// The nodes that read a node's value.
  public func readers(of node: Int) -> [Int] { shapes.readers[node + 1] }

  /// The graph as a pass runs it that keeps the own values of some nodes, before any ReLU that they would have taken on.
  func exposing(_ nodes: [Int]) -> Graph {
    var graph = self
    graph.plan = Plan(self.nodes, shapes, tensors: tensors, buffers: buffers, exposing: nodes)
    return graph
  }

  /// The tensors of a node, in its layer's order.
  public func tensors(of node: Int) -> [TensorLayout] { tensors.filter { $0.node == node } }

  /// The nodes that a node reads; nil for the graph's input.
  public func inputs(of node: Int) -> [Int?] { shapes.sources[node].map { $0 == 0 ? nil : $0 - 1 } }

  /// The number of the node of a name.
  public func node(_ name: String) -> Int? { nodes.firstIndex { $0.name == name } }

  /// The nodes in an order in which each comes after those it reads, otherwise as given.
  private static func sorted(_ nodes: [Node]) throws(GraphError) -> [Node] {
    guard !nodes.isEmpty else { throw GraphError(nil, "the graph has no nodes") }
    var numbers = [Graph.inputName: -1]
    for (number, node) in nodes.enumerated() {
      guard !node.name.isEmpty, numbers.updateValue(number, forKey: node.name) == nil else {
        throw GraphError(node.name, "there are two nodes of this name, or it has none")
      }
    }
    var isPlaced = [Bool](repeating: false, count: nodes.count)
    var readers = [[Int]](repeating: [], count: nodes.count)
    var missing = [Int](repeating: 0, count: nodes.count)
    for (number, node) in nodes.enumerated() {
      for name in node.inputs {
        guard let source = numbers[name] else {
          throw GraphError(node.name, "reads \"\(name)\", and there is no such node")
        }
        guard source >= 0 else { continue }
        readers[source].append(number)
        missing[number] += 1
      }
    }
    var result: [Node] = []
    var ready = nodes.indices.filter { missing[$0] == 0 }
    while let next = ready.min() {
      ready.removeAll { $0 == next }
      isPlaced[next] = true
      result.append(nodes[next])
      for reader in readers[next] {
        missing[reader] -= 1
        if missing[reader] == 0 { ready.append(reader) }
      }
    }
    if let stuck = nodes.indices.first(where: { !isPlaced[$0] }) {
      let names = nodes.indices.filter { !isPlaced[$0] }.map { "\"\(nodes[$0].name)\"" }
      throw GraphError(
        nodes[stuck].name, "reads its own value by way of \(names.joined(separator: ", "))")
    }
    return result
  }
}

/// A layer in a graph.
public struct Node: Sendable, Equatable {
  /// In front of the names of its tensors: `layers.0`.
  public let name: String
  public let layer: any Layer

  /// The nodes whose values it reads, or ``Graph/inputName``.
  public let inputs: [String]

  /// A node.
  public init(_ name: String, _ layer: any Layer, reads inputs: String...) {
    self.init(name, layer, reads: inputs)
  }

  /// A node.
  public init(_ name: String, _ layer: any Layer, reads inputs: [String]) {
    self.name = name
    self.layer = layer
    self.inputs = inputs
  }

  public static func == (a: Node, b: Node) -> Bool {
    a.name == b.name && a.inputs == b.inputs && a.layer.description == b.layer.description
  }
}

/// A graph that is none.
public struct GraphError: Error, Equatable, CustomStringConvertible {
  /// The node it is about; nil for the whole.
  public let node: String?
  public let problem: String

  /// An error about a node.
  public init(_ node: String?, _ problem: String) {
    self.node = node
    self.problem = problem
  }

  public var description: String { node.map { "node \"\($0)\": \(problem)" } ?? problem }
}

extension Graph: Hashable, CodableAsText {
  public static func == (a: Graph, b: Graph) -> Bool {
    a.inputShape == b.inputShape && a.nodes == b.nodes
  }

  public func hash(into hasher: inout Hasher) {
    // Not the description: a family's graph is equal to the one that its JSON makes.
    hasher.combine(inputShape)
    hasher.combine(nodes.map(\.name))
  }

  /// The graph that a text names: a family's, such as `784-512-10`, or JSON as ``GraphDescription`` has it; else nil.
  public init?(_ description: String) {
    guard let graph = try? Graph(parsing: description) else { return nil }
    self = graph
  }

  /// The text that ``init(parsing:)`` makes the graph of: its family's, or JSON.
  public var description: String { familyText ?? GraphDescription(self).json }

  public static func problem(with text: String) -> String {
    do {
      _ = try Graph(parsing: text)
      return ""
    } catch {
      return error.description
    }
  }
}
