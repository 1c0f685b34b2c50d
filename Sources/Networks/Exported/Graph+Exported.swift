/// What stands for the operators of an exported network in a graph: its tensors, and nothing that could be run.
struct ExportedNetwork: Layer {
  let exported: ExportedGraph
  let derived: ExportedSymmetry

  var description: String { exported.fingerprint }
  func outputShape(of inputs: [Shape]) throws(LayerError) -> Shape { [1] }

  func forward(_ pass: ForwardPass) { refuse() }
  func backward(_ pass: BackwardPass) { refuse() }

  private func refuse() -> Never {
    preconditionFailure("\(description) is known by its tensors alone and cannot be run")
  }
}

extension Graph {
  /// The network that was exported; nil for a graph of this library's layers.
  public var exported: ExportedGraph? { (nodes[0].layer as? ExportedNetwork)?.exported }

  /// How the exported network's symmetry was found; nil for a graph of this library's layers.
  public var exportedSymmetry: ExportedSymmetry? {
    (nodes[0].layer as? ExportedNetwork)?.derived
  }

  /// Whether networks of the graph can be run: not those that are known by their tensors alone.
  public var canRun: Bool { exported == nil }
}

extension Graph {
  /// The text that ``init(source:)`` makes the graph of again, on another rank: of an exported network its whole JSON.
  public var source: String { exported?.text ?? description }

  /// The graph of a ``source``.
  ///
  /// - Throws: ``GraphError`` if the text is none.
  public init(source: String) throws(GraphError) {
    if ExportedGraph.claims(source) {
      try self.init(ExportedGraph(json: source))
    } else {
      try self.init(parsing: source)
    }
  }
}

extension TensorDeclaration {
  /// A tensor of a state dict, whose part in the network nobody says.
  static func of(_ tensor: ExportedGraph.Tensor) -> TensorDeclaration {
    TensorDeclaration(tensor.name, tensor.shape, role: .other, initializer: .constant(0))
  }
}
