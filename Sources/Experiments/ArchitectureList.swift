import Networks

/// The networks that a text names, with their sizes.
public struct ArchitectureList: Codable, Equatable, Sendable {
  public var networks: [Row]

  /// A network.
  public struct Row: Codable, Equatable, Sendable {
    /// What `--architecture` takes.
    public var text: String
    public var parameters: Int

    /// Numbers that are kept and not learned.
    public var buffers: Int

    /// How many units each group has that may be permuted among themselves.
    public var groups: [Int]

    /// The node's name, its layer and the shape of its value, of each node; nil in a list.
    public var nodes: [Node]?

    /// A layer.
    public struct Node: Codable, Equatable, Sendable {
      public var name: String
      public var layer: String
      public var inputs: [String]
      public var shape: [Int]
      public var parameters: Int
      /// The number of the group of its units; nil if they stay in their places.
      public var group: Int?
    }

    init(_ graph: Graph, withNodes hasNodes: Bool) {
      text = graph.description
      parameters = graph.parameterCount
      buffers = graph.bufferCount
      groups = graph.symmetry.groups.map(\.count)
      guard hasNodes else { return }
      nodes = graph.nodes.indices.map { index in
        let node = graph.nodes[index]
        return Node(
          name: node.name, layer: node.layer.description, inputs: node.inputs,
          shape: graph.shape(of: index),
          parameters: graph.tensors(of: index).reduce(0) { $0 + $1.range.count },
          group: graph.symmetry.groupOfNode[index])
      }
    }
  }

  /// The networks of every family, by example.
  ///
  /// - Parameters:
  ///   - image: channels, height and width.
  ///   - classes: how many outputs.
  public init(image: [Int], classes: Int) {
    let inputs = image.reduce(1, *)
    let texts = [
      "\(inputs)-512-\(classes)", "\(inputs)-512-512-512-\(classes)",
      "residual:\(inputs)-512x4-\(classes)", "lenet5", "cnn", "vgg11", "vgg11bn", "vgg16",
      "vgg16bn", "resnet20", "resnet20x4", "resnet32", "resnet56",
    ]
    networks = texts.compactMap { text in
      guard let graph = Graph(text)?.ofUsualImages(resizedTo: image, classes: classes),
        graph.inputs == inputs, graph.outputs == classes
      else { return nil }
      return Row(graph, withNodes: false)
    }
  }

  /// One network, with its nodes.
  public init(_ graph: Graph) { networks = [Row(graph, withNodes: true)] }

  /// As the terminal shows it.
  public var table: String {
    func padded(_ text: String, _ width: Int) -> String {
      text + String(repeating: " ", count: max(width - text.count, 0))
    }
    func right(_ number: Int, _ width: Int) -> String {
      let text = "\(number)"
      return String(repeating: " ", count: max(width - text.count, 0)) + text
    }
    func sizes(_ groups: [Int]) -> String {
      var runs: [(size: Int, count: Int)] = []
      for size in groups {
        if let last = runs.last, last.size == size {
          runs[runs.count - 1].count += 1
        } else {
          runs.append((size, 1))
        }
      }
      return runs.map { $0.count == 1 ? "\($0.size)" : "\($0.count) of \($0.size)" }
        .joined(separator: ", ")
    }
    let width = max(12, networks.map(\.text.count).max() ?? 0)
    var lines = [
      "\(padded("architecture", width))  parameters  buffers  units that may be permuted, by group"
    ]
    for row in networks {
      lines.append(
        "\(padded(row.text, width))  \(right(row.parameters, 10))  \(right(row.buffers, 7))"
          + "  \(sizes(row.groups))")
    }
    guard let nodes = networks.first?.nodes else { return lines.joined(separator: "\n") }
    let (name, layer) = (
      nodes.map(\.name.count).max() ?? 0, nodes.map(\.layer.count).max() ?? 0
    )
    lines.append("")
    for node in nodes {
      lines.append(
        "\(padded(node.name, name))  \(padded(node.layer, layer))"
          + "  \(padded(node.shape.map(String.init).joined(separator: " × "), 13))"
          + "  \(right(node.parameters, 9))"
          + "  \(padded(node.group.map { "group \($0)" } ?? "", 8))"
          + "  \(node.inputs.joined(separator: ", "))")
    }
    return lines.joined(separator: "\n")
  }
}
