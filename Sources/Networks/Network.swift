import Tensors

/// A network: its graph, one contiguous block of parameters, and one of buffers.
///
/// All parameters lie in one block, so that a network is gathered, averaged, permuted, stepped over by an optimiser and saved as
/// one array. Buffers, such as running statistics, are kept and saved but not learned.
public struct Network: Equatable, Sendable {
  public let graph: Graph

  /// The parameters, laid out as ``Graph/tensors`` says.
  public var parameters: [Float]

  /// What is kept but not learned, laid out as ``Graph/buffers`` says.
  public var buffers: [Float]

  /// A network of given parameters; buffers are as in a new network if none are given.
  public init(_ graph: Graph, parameters: [Float], buffers: [Float]? = nil) {
    let buffers = buffers ?? Self.initial(graph.buffers)
    precondition(
      parameters.count == graph.parameterCount && buffers.count == graph.bufferCount,
      "\(graph) has \(graph.parameterCount) parameters and \(graph.bufferCount) buffers, not"
        + " \(parameters.count) and \(buffers.count)")
    self.graph = graph
    self.parameters = parameters
    self.buffers = buffers
  }

  /// A new network, each tensor drawn as its layer says, in the order of the block.
  public init(_ graph: Graph, random: consuming RandomStream) {
    var parameters: [Float] = []
    parameters.reserveCapacity(graph.parameterCount)
    for tensor in graph.tensors {
      switch tensor.initializer {
      case .constant(let value):
        parameters += repeatElement(value, count: tensor.range.count)
      case .uniform(let bound):
        for _ in tensor.range { parameters.append((2 * random.uniform() - 1) * bound) }
      }
    }
    self.init(graph, parameters: parameters)
  }

  private static func initial(_ buffers: [TensorLayout]) -> [Float] {
    buffers.flatMap { buffer -> [Float] in
      guard case .constant(let value) = buffer.initializer else {
        return buffer.range.map { _ in 0 }
      }
      return Array(repeating: value, count: buffer.range.count)
    }
  }

  /// A tensor's elements, as rows of its first axis.
  public func matrix(_ tensor: TensorLayout) -> Matrix {
    Matrix(
      rows: tensor.shape.first ?? 1, columns: tensor.columns,
      elements: Array(parameters[tensor.range]))
  }

  /// Whether every parameter is a finite number.
  public var isFinite: Bool { parameters.allSatisfy(\.isFinite) && buffers.allSatisfy(\.isFinite) }
}
