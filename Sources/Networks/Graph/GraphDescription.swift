import Foundation

/// A graph as JSON, for networks that no family makes.
///
///     {"input": [784], "nodes": [{"name": "stem", "layer": "dense(64)", "inputs": ["input"]}, …]}
public struct GraphDescription: Codable, Equatable, Sendable {
  public var input: [Int]
  public var nodes: [NodeDescription]

  /// A layer by its text, and what it reads.
  public struct NodeDescription: Codable, Equatable, Sendable {
    public var name: String
    public var layer: String
    public var inputs: [String]
  }

  /// The description of a graph.
  public init(_ graph: Graph) {
    input = graph.inputShape
    nodes = graph.nodes.map {
      NodeDescription(name: $0.name, layer: $0.layer.description, inputs: $0.inputs)
    }
  }

  /// A description out of JSON.
  ///
  /// - Throws: ``GraphError`` if it is none.
  public init(json: String) throws(GraphError) {
    do {
      self = try JSONDecoder().decode(GraphDescription.self, from: Data(json.utf8))
    } catch {
      var place = ""
      if case .some(.keyNotFound(let key, let context)) = error as? DecodingError {
        let path = (context.codingPath + [key]).map {
          $0.intValue.map(String.init) ?? $0.stringValue
        }
        place = " (\(path.joined(separator: ".")) is missing)"
      }
      throw GraphError(
        nil,
        "is no graph\(place), which looks like {\"input\": [784], \"nodes\": [{\"name\": \"head\","
          + " \"layer\": \"dense(10)\", \"inputs\": [\"input\"]}]}")
    }
  }

  /// In one line, the same for equal graphs.
  public var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  /// The graph.
  ///
  /// - Throws: ``GraphError`` naming the node whose layer is unknown, or that does not fit.
  public func graph(layers: LayerCatalog = .standard) throws(GraphError) -> Graph {
    var made: [Node] = []
    for node in nodes {
      guard let layer = layers.layer(node.layer) else {
        throw GraphError(
          node.name,
          "there is no layer \"\(node.layer)\"; there are "
            + layers.kinds.map(\.syntax).joined(separator: ", "))
      }
      made.append(Node(node.name, layer, reads: node.inputs))
    }
    return try Graph(input: input, made)
  }
}

extension Graph {
  /// The graph that a text names: a family's, or JSON.
  ///
  /// - Parameters:
  ///   - text: the text.
  ///   - layers: which layers JSON may name.
  /// - Throws: ``GraphError`` saying what there is, or which node is wrong.
  public init(parsing text: String, layers: LayerCatalog = .standard) throws(GraphError) {
    if text.hasPrefix("{") {
      self = try GraphDescription(json: text).graph(layers: layers)
      return
    }
    for family in Family.all {
      if let graph = try family.graph(text) {
        self = graph
        return
      }
    }
    throw GraphError(
      nil,
      "\"\(text)\" is no architecture; there are "
        + Family.all.map { "\($0.syntax) (\($0.summary))" }.joined(separator: ", "))
  }
}
