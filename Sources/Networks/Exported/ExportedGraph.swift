/// A network as PyTorch's exporter sees it: operators that read each other's values and the tensors of a state dict.
///
/// Written by `scripts/export_graph.py` from the user's own model object. It says how values flow, which is enough to derive
/// which units may be reordered (``symmetry``) and so to merge networks of it by their weights. It is never run.
public struct ExportedGraph: Sendable, Equatable {
  /// What the model is called.
  public let name: String

  /// The tensors of the state dict, in its order.
  public let tensors: [Tensor]

  /// What the network is given.
  public let inputs: [Value]

  /// What it has besides that no state dict holds.
  public let constants: [Value]

  /// In topological order.
  public let nodes: [Node]

  /// The names of the values that it puts out.
  public let outputs: [String]

  /// The JSON it was read from, which makes it again on another rank.
  public let text: String

  /// A tensor of the state dict.
  public struct Tensor: Sendable, Equatable {
    /// What the state dict calls it; several names where tensors are tied.
    public let names: [String]
    public let shape: [Int]

    /// Whether it is learned; else it is kept, such as running statistics.
    public let isParameter: Bool

    /// Whether its elements are floats; whole numbers are not merged.
    public let isFloating: Bool

    /// The first of its names.
    public var name: String { names[0] }
  }

  /// A named value of a shape.
  public struct Value: Sendable, Equatable {
    public let name: String
    public let shape: [Int]
  }

  /// An operator that is applied.
  public struct Node: Sendable, Equatable {
    public let name: String

    /// As PyTorch spells it, `aten.conv2d.default`.
    public let `operator`: String

    /// By the names of the operator's schema, in the order of the names.
    public let arguments: [(name: String, value: Argument)]

    /// Of each value that it puts out.
    public let shapes: [[Int]]

    public static func == (a: Node, b: Node) -> Bool {
      a.name == b.name && a.operator == b.operator && a.shapes == b.shapes
        && a.arguments.map(\.name) == b.arguments.map(\.name)
        && a.arguments.map(\.value) == b.arguments.map(\.value)
    }

    /// The operator without its library, its overload and the mark of those that write in place: `conv2d`.
    var kind: String { isInPlace ? String(bareOperator.dropLast()) : bareOperator }

    /// Whether the operator writes into what it is given.
    var isInPlace: Bool { bareOperator.hasSuffix("_") && !bareOperator.hasPrefix("_") }

    private var bareOperator: String {
      let parts = self.operator.split(separator: ".", omittingEmptySubsequences: false)
      return String(parts.count > 1 ? parts[1] : parts[0])
    }
  }

  /// What an operator is given.
  public indirect enum Argument: Sendable, Equatable {
    /// The value of a node, an input or a constant.
    case value(String)
    /// A tensor of the state dict, by its place in ``ExportedGraph/tensors``.
    case tensor(Int)
    case number(Double)
    case text(String)
    case list([Argument])
    case nothing
  }

  /// What sets the graph apart from others: its model's name and a hash of its text.
  public var fingerprint: String {
    // FNV-1a, which needs no library.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    return "\(name)@" + String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// The tensors that are merged: parameters of floats, in their order.
  public var parameters: [Tensor] { tensors.filter { $0.isFloating && $0.isParameter } }

  /// The tensors that are averaged beside them: buffers of floats.
  public var buffers: [Tensor] { tensors.filter { $0.isFloating && !$0.isParameter } }
}

extension ExportedGraph.Argument {
  /// The references to values and tensors in it.
  var references: [ExportedGraph.Argument] {
    switch self {
    case .value, .tensor: [self]
    case .list(let items): items.flatMap(\.references)
    case .number, .text, .nothing: []
    }
  }
}
