import Foundation

extension ExportedGraph {
  /// What the JSON has to say of itself.
  static let format = "permavg-graph"

  /// The largest file, and the most axes and entries of an axis or a value that are believed.
  private static let (largestFile, mostAxes, longestAxis) = (1 << 28, 16, 1 << 26)

  /// Whether a text claims to be an exported graph.
  static func claims(_ text: String) -> Bool {
    text.hasPrefix("{") && text.prefix(4096).contains("\"\(format)\"")
  }

  /// Reads a file that `scripts/export_graph.py` wrote.
  ///
  /// - Throws: ``CheckpointError`` for a file that is missing, too large, or no exported graph, naming the node or tensor.
  public init(contentsOf path: String) throws(CheckpointError) {
    let data: Data
    do {
      let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
      guard size <= Self.largestFile else {
        throw CheckpointError(
          path, "has \(size) bytes; an exported graph has no more than \(Self.largestFile)")
      }
      data = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch let error as CheckpointError {
      throw error
    } catch {
      throw CheckpointError(path, "could not be read: \(error.localizedDescription)")
    }
    do {
      try self.init(json: String(decoding: data, as: UTF8.self))
    } catch {
      throw CheckpointError(path, error.description)
    }
  }

  /// A graph out of JSON.
  ///
  /// - Throws: ``GraphError`` naming the node or tensor that is malformed, named twice, or reads what is not there.
  public init(json: String) throws(GraphError) {
    guard let value = try? JSONSerialization.jsonObject(with: Data(json.utf8)),
      let top = Fields(value, "the graph")
    else {
      throw GraphError(
        nil, "is no JSON object; an exported graph is what scripts/export_graph.py writes")
    }
    guard try top.text("format") == Self.format, try top.integer("version") == 1 else {
      throw GraphError(
        nil,
        "is no \"\(Self.format)\" of version 1; export the model anew with scripts/export_graph.py")
    }
    text = json
    name = try top.text("model")
    var found: [Tensor] = []
    var places: [String: Int] = [:]
    for item in try top.objects("tensors") {
      let names = try item.texts("names")
      guard let first = names.first else {
        throw GraphError(nil, "tensor \(found.count) has no name")
      }
      for name in names where places.updateValue(found.count, forKey: name) != nil {
        throw GraphError(nil, "tensor \"\(name)\" is there twice")
      }
      let (kind, type) = (try item.text("kind"), try item.text("type"))
      guard ["parameter", "buffer"].contains(kind),
        let element = Safetensors.ElementType(rawValue: type)
      else {
        throw GraphError(
          nil,
          "tensor \"\(first)\" is a \"\(kind)\" of type \"\(type)\", expected a parameter or a buffer of a type"
            + " that safetensors has")
      }
      found.append(
        Tensor(
          names: names, shape: try Self.shape(item.any("shape"), of: "tensor \"\(first)\""),
          isParameter: kind == "parameter", isFloating: element.isFloating))
    }
    tensors = found
    var known: Set<String> = []
    inputs = try Self.values(top.objects("inputs"), &known)
    constants = try Self.values(top.objects("constants"), &known)
    var nodes: [Node] = []
    for item in try top.objects("nodes") {
      let name = try item.text("name")
      guard let list = item.any("arguments") as? [String: Any],
        let shapes = item.any("shapes") as? [Any]
      else { throw GraphError(name, "has no \"arguments\" or no \"shapes\"") }
      var arguments: [(String, Argument)] = []
      for (key, value) in list.sorted(by: { $0.key < $1.key }) {
        arguments.append((key, try Self.argument(value, of: name, known, places)))
      }
      nodes.append(
        Node(
          name: name, operator: try item.text("operator"), arguments: arguments,
          shapes: try shapes.map { (shape) throws(GraphError) in
            try Self.shape(shape, of: "node \"\(name)\"")
          }))
      guard known.insert(name).inserted else {
        throw GraphError(name, "there are two values of this name")
      }
    }
    self.nodes = nodes
    outputs = try top.texts("outputs")
    for output in outputs where !known.contains(output) {
      throw GraphError(nil, "its output \"\(output)\" is no value of the graph")
    }
  }

  private static func values(
    _ items: [Fields], _ known: inout Set<String>
  ) throws(GraphError) -> [Value] {
    var result: [Value] = []
    for item in items {
      let name = try item.text("name")
      guard known.insert(name).inserted else {
        throw GraphError(name, "there are two values of this name")
      }
      result.append(Value(name: name, shape: try shape(item.any("shape"), of: "\"\(name)\"")))
    }
    return result
  }

  private static func shape(_ value: Any?, of what: String) throws(GraphError) -> [Int] {
    guard let numbers = value as? [Any], numbers.count <= mostAxes else {
      throw GraphError(nil, "\(what) has no shape, or one of more than \(mostAxes) axes")
    }
    var shape: [Int] = []
    var total = 1.0
    for number in numbers {
      guard let size = number as? Int, (0...longestAxis).contains(size) else {
        throw GraphError(nil, "\(what) has an axis of \(number), expected 0 to \(longestAxis)")
      }
      shape.append(size)
      total *= Double(size)
    }
    guard total <= Double(1 << 40) else { throw GraphError(nil, "\(what) has the shape \(shape)") }
    return shape
  }

  private static func argument(
    _ value: Any, of node: String, _ known: Set<String>, _ tensors: [String: Int]
  ) throws(GraphError) -> Argument {
    switch value {
    case is NSNull: return .nothing
    case let text as String: return .text(text)
    case let items as [Any]:
      var result: [Argument] = []
      for item in items { result.append(try argument(item, of: node, known, tensors)) }
      return .list(result)
    case let reference as [String: Any] where reference.count == 1:
      if let name = reference["value"] as? String {
        guard known.contains(name) else {
          throw GraphError(node, "reads \"\(name)\", which no node before it puts out")
        }
        return .value(name)
      }
      if let name = reference["tensor"] as? String {
        guard let place = tensors[name] else {
          throw GraphError(node, "reads the tensor \"\(name)\", which the graph does not list")
        }
        return .tensor(place)
      }
      throw GraphError(node, "has an argument that is neither a value nor a tensor")
    case let number as NSNumber: return .number(number.doubleValue)
    default: throw GraphError(node, "has an argument that is neither a value nor a number")
    }
  }
}

/// An object of JSON whose fields are asked for by type.
private struct Fields {
  private let values: [String: Any]
  private let what: String

  init?(_ value: Any, _ what: String) {
    guard let values = value as? [String: Any] else { return nil }
    self.values = values
    self.what = (values["name"] as? String).map { "\"\($0)\"" } ?? what
  }

  func any(_ key: String) -> Any? { values[key] }

  func text(_ key: String) throws(GraphError) -> String {
    guard let text = values[key] as? String, !text.isEmpty else { throw missing(key, "a text") }
    return text
  }

  func integer(_ key: String) throws(GraphError) -> Int {
    guard let number = values[key] as? Int else { throw missing(key, "a whole number") }
    return number
  }

  func texts(_ key: String) throws(GraphError) -> [String] {
    guard let texts = values[key] as? [String] else { throw missing(key, "a list of texts") }
    return texts
  }

  func objects(_ key: String) throws(GraphError) -> [Fields] {
    guard let items = values[key] as? [Any] else { throw missing(key, "a list of objects") }
    var result: [Fields] = []
    for (number, item) in items.enumerated() {
      guard let fields = Fields(item, "entry \(number) of \"\(key)\"") else {
        throw missing(key, "a list of objects")
      }
      result.append(fields)
    }
    return result
  }

  private func missing(_ key: String, _ expected: String) -> GraphError {
    GraphError(nil, "\(what) needs \"\(key)\", \(expected)")
  }
}
