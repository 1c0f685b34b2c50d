import Tensors

/// A named tensor in a network's block of parameters or of buffers.
public struct TensorLayout: Hashable, Sendable {
  /// PyTorch's: `layers.0.weight`.
  public let name: String
  public let shape: [Int]

  /// Where its elements lie in the block, row by row.
  public let range: Range<Int>

  /// The node it belongs to.
  public let node: Int
  public let role: TensorDeclaration.Role
  public let initializer: TensorDeclaration.Initializer

  /// Whether weight decay applies.
  public let decays: Bool

  /// Numbers in a row: the product of all axes but the first.
  public var columns: Int { shape.dropFirst().reduce(1, *) }

  public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// Tensors as they are put one after another into a block.
struct BlockLayout {
  private(set) var tensors: [TensorLayout] = []
  private(set) var end = 0
  let limit: Int

  init(limit: Int) { self.limit = limit }

  mutating func append(
    _ declaration: TensorDeclaration, of node: Int, named name: String
  ) throws(GraphError) {
    var count = 1
    for size in declaration.shape {
      let (product, overflows) = count.multipliedReportingOverflow(by: size)
      count = overflows ? .max : product
    }
    guard count <= limit - end else {
      throw GraphError(
        name,
        "its \(declaration.name) of shape \(declaration.shape) makes more than the"
          + " \(limit) numbers that a network may have")
    }
    tensors.append(
      TensorLayout(
        name: name.isEmpty ? declaration.name : "\(name).\(declaration.name)",
        shape: declaration.shape, range: end..<end + count,
        node: node, role: declaration.role, initializer: declaration.initializer,
        decays: declaration.decays))
    end += count
  }
}

/// The shapes of a graph's values, and who reads which: value 0 is the input, value n + 1 is that of node n.
struct Shapes: Sendable {
  let values: [Shape]

  /// The values that each node reads.
  let sources: [[Int]]

  /// The nodes that read each value.
  let readers: [[Int]]

  init(input: Shape, _ nodes: [Node], isPart: Bool) throws(GraphError) {
    guard !input.isEmpty, input.allSatisfy({ (1...1 << 24).contains($0) }),
      input.reduce(1.0, { $0 * Double($1) }) <= Double(1 << 30)
    else {
      throw GraphError(nil, "the input has the shape \(input)")
    }
    var numbers = [Graph.inputName: 0]
    var values = [input]
    var sources: [[Int]] = []
    var readers: [[Int]] = [[]]
    for (index, node) in nodes.enumerated() {
      let own = node.inputs.compactMap { numbers[$0] }
      for value in Set(own).sorted() { readers[value].append(index) }
      do {
        values.append(try node.layer.outputShape(of: own.map { values[$0] }))
      } catch {
        throw GraphError(node.name, "\(node.layer.description) \(error.problem)")
      }
      sources.append(own)
      readers.append([])
      numbers[node.name] = index + 1
    }
    for (index, node) in nodes.dropLast().enumerated() where readers[index + 1].isEmpty && !isPart {
      throw GraphError(
        node.name, "nobody reads its value, and the output is \"\(nodes[nodes.count - 1].name)\"")
    }
    guard isPart || values[nodes.count].count == 1 else {
      throw GraphError(
        nodes[nodes.count - 1].name,
        "is the output, which is to be a vector of logits, and has the shape \(values[nodes.count])"
      )
    }
    (self.values, self.sources, self.readers) = (values, sources, readers)
  }

  /// How many numbers a sample of a value has.
  func size(_ value: Int) -> Int { values[value].reduce(1, *) }

  /// The shapes of what a node reads.
  func inputs(of node: Int) -> [Shape] { sources[node].map { values[$0] } }
}
