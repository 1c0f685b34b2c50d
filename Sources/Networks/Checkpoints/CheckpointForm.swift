/// How a file keeps a network's tensors: under which names, as which types, and what else it holds.
///
/// A merged network is written in the form of the first member's file, so that the program which that comes from loads it.
public struct CheckpointForm: Sendable, Equatable {
  /// In the order in which they are written.
  let entries: [Entry]

  /// One tensor of a file.
  struct Entry: Sendable, Equatable {
    let name: String
    let type: Safetensors.ElementType
    let content: Content
  }

  /// What a tensor of a file holds.
  enum Content: Sendable, Equatable {
    /// A tensor of the graph, by its place among parameters and then buffers.
    case numbers(Int)
    /// What no network changes, such as tables of whole numbers.
    case verbatim(Safetensors.Tensor)
  }

  /// The file for a network of the graph.
  ///
  /// - Parameters:
  ///   - network: a network with the tensors that the form was read from.
  ///   - metadata: texts to keep with it; `format` is added, and `architecture` where the graph is of this library's layers.
  /// - Returns: the file, in memory.
  public func checkpoint(of network: Network, metadata: [String: String] = [:]) -> Safetensors {
    var all = metadata
    all["format"] = "pt"
    if network.graph.canRun { all["architecture"] = network.graph.description }
    let border = network.graph.tensors.count
    let layouts = network.graph.tensors + network.graph.buffers
    return Safetensors(
      tensors: entries.map { entry in
        switch entry.content {
        case .verbatim(let tensor): return tensor
        case .numbers(let place):
          let layout = layouts[place]
          let numbers =
            place < border ? network.parameters[layout.range] : network.buffers[layout.range]
          return entry.type.isFloating
            ? Safetensors.Tensor(
              name: entry.name, shape: layout.shape, type: entry.type, numbers: numbers)
            : Safetensors.Tensor(
              name: entry.name, shape: layout.shape, integers: numbers.map { Int($0) })
        }
      }, metadata: all)
  }
}
