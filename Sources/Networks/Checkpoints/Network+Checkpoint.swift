import Foundation

extension Network {
  /// The network as a safetensors file that PyTorch opens by `load_state_dict`.
  ///
  /// Parameters come first, then buffers, with PyTorch's names, `layers.0.weight` (outputs × inputs), `layers.0.bias`, ….
  ///
  /// - Parameters:
  ///   - metadata: texts to keep with it; `format` and `architecture` are added.
  ///   - names: other names of the tensors, in the order of the graph's parameters and buffers.
  /// - Returns: the file, in memory.
  public func checkpoint(
    metadata: [String: String] = [:], names: [String]? = nil
  ) -> Safetensors {
    var all = metadata
    all["format"] = "pt"
    all["architecture"] = graph.description
    let names = names ?? graph.tensorNames
    precondition(names.count == graph.tensorNames.count, "\(names) for the tensors of \(graph)")
    let values =
      graph.tensors.map { ($0, parameters[$0.range]) }
      + graph.buffers.map { ($0, buffers[$0.range]) }
    return Safetensors(
      tensors: zip(names, values).map { name, value in
        let (layout, floats) = value
        return layout.role == .count
          ? Safetensors.Tensor(name: name, shape: layout.shape, integers: floats.map { Int($0) })
          : Safetensors.Tensor(name: name, shape: layout.shape, floats: floats)
      }, metadata: all)
  }

  /// The network that a checkpoint holds, whatever program wrote it, as ``LoadedNetwork`` finds it.
  ///
  /// - Throws: ``CheckpointError``
  public init(_ file: Safetensors, path: String) throws(CheckpointError) {
    self = try LoadedNetwork(file, path: path).network
  }
}

extension Graph {
  /// The names of all tensors, parameters first and then buffers.
  public var tensorNames: [String] { (tensors + buffers).map(\.name) }
}

/// A network out of a checkpoint, and what the file calls its tensors.
public struct LoadedNetwork: Sendable {
  public let network: Network

  /// In the order of the graph's parameters and buffers.
  public let tensorNames: [String]

  /// How the file keeps them.
  public let form: CheckpointForm

  init(network: Network, tensorNames: [String], form: CheckpointForm) {
    self.network = network
    self.tensorNames = tensorNames
    self.form = form
  }

  /// The network that a checkpoint holds, whatever program wrote it.
  ///
  /// A file that says its architecture, as ours do, is taken at its word if it has that one's tensors. Else the
  /// families look whether the names and shapes are theirs: of a multi-layer perceptron the names may be any.
  ///
  /// - Parameters:
  ///   - file: the tensors.
  ///   - path: names the file in errors.
  ///   - layers: which layers its metadata may name.
  ///   - order: the dense layers by name, from the input to the output, for a multi-layer perceptron whose names do not say.
  /// - Throws: ``CheckpointError`` if the tensors are not those of one network, are no floats, or hold a NaN or an infinity.
  public init(
    _ file: Safetensors, path: String, layers: LayerCatalog = .standard, order: [String]? = nil
  ) throws(CheckpointError) {
    let found = try Self.recognizeWrapped(file, path, layers, order)
    let graph = found.graph
    var blocks: [[Float]] = [[], []]
    for (place, (layout, name)) in zip(graph.tensors + graph.buffers, found.tensorNames)
      .enumerated()
    {
      guard let tensor = file[name] else {
        throw CheckpointError(path, "holds no tensor \"\(name)\", which \(graph) has")
      }
      guard tensor.shape == layout.shape else {
        throw CheckpointError(
          path, "tensor \"\(name)\" has shape \(tensor.shape), \(graph) needs \(layout.shape)")
      }
      if layout.role == .count {
        guard let counts = tensor.integers, counts.allSatisfy({ (0...1 << 24).contains($0) }) else {
          throw CheckpointError(
            path,
            "tensor \"\(name)\" is of type \(tensor.type.rawValue) or out of range, expected I64 from 0 to \(1 << 24)"
          )
        }
        blocks[1] += counts.map { Float($0) }
        continue
      }
      blocks[place < graph.tensors.count ? 0 : 1] += try Self.numbers(of: tensor, path)
    }
    let names = Set(found.tensorNames)
    let extra = file.tensors.filter { !names.contains($0.name) }
    guard extra.isEmpty else {
      throw CheckpointError(
        path,
        "holds tensors that \(graph) does not have: "
          + extra.map { "\"\($0.name)\" \($0.shape)" }.joined(separator: ", "))
    }
    network = Network(graph, parameters: blocks[0], buffers: blocks[1])
    tensorNames = found.tensorNames
    form = CheckpointForm(
      entries: found.tensorNames.enumerated().map { place, name in
        CheckpointForm.Entry(
          name: name, type: file[name]?.type ?? .float32, content: .numbers(place))
      })
  }

  /// The network as the names have it, else as they are without what wrappers put in front of them.
  private static func recognizeWrapped(
    _ file: Safetensors, _ path: String, _ layers: LayerCatalog, _ order: [String]?
  ) throws(CheckpointError) -> RecognizedGraph {
    let names = file.tensors.map(\.name)
    let bare = bareNames(names)
    do {
      if let order { return try Family.recognizePerceptron(file, path, order: order) }
      return try recognize(file, path, layers)
    } catch {
      guard bare != names, Set(bare).count == names.count else { throw error }
      let original = Dictionary(zip(bare, names), uniquingKeysWith: { first, _ in first })
      let unwrapped = Safetensors(
        tensors: zip(file.tensors, bare).map {
          Safetensors.Tensor(name: $1, type: $0.type, shape: $0.shape, bytes: $0.bytes)
        }, metadata: file.metadata)
      let found: RecognizedGraph
      if let order {
        found = try Family.recognizePerceptron(unwrapped, path, order: order)
      } else {
        found = try recognize(unwrapped, path, layers)
      }
      return RecognizedGraph(
        graph: found.graph, tensorNames: found.tensorNames.map { original[$0] ?? $0 })
    }
  }

  private static func recognize(
    _ file: Safetensors, _ path: String, _ layers: LayerCatalog
  ) throws(CheckpointError) -> RecognizedGraph {
    var stated: Graph?
    if let text = file.metadata["architecture"] {
      let graph: Graph
      do {
        graph = try Graph(parsing: text, layers: layers)
      } catch {
        throw CheckpointError(path, "its metadata gives the architecture \"\(text)\": \(error)")
      }
      let there = Set(file.tensors.map(\.name))
      if graph.tensorNames.contains(where: there.contains) {
        return RecognizedGraph(graph: graph, tensorNames: graph.tensorNames)
      }
      stated = graph
    }
    for family in Family.all {
      guard let found = try family.recognize(file, path) else { continue }
      guard stated == nil || stated == found.graph else {
        throw CheckpointError(
          path,
          "its metadata gives the architecture \(file.metadata["architecture"] ?? ""), and its tensors are those"
            + " of \(found.graph)")
      }
      return found
    }
    throw CheckpointError(path, "holds the tensors of no network that is known")
  }
}
