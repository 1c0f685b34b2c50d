import Tensors

/// A network made ready to be looked at: the values of some of its nodes, of one pass.
///
/// Nodes are as the whole network numbers them. A value lies as passes have it: a row of numbers for each sample, or, of an image, for
/// each of its pixels, the channels side by side.
public struct NetworkView: Sendable {
  /// What is looked at, in order.
  public let nodes: [Int?]

  private let network: Network
  /// Where each of the nodes is in the part that is run.
  private let places: [Int?]

  /// A view of some nodes' own values, before any ReLU behind them.
  ///
  /// - Parameters:
  ///   - nodes: by number; nil for what the network is given.
  ///   - network: whose nodes.
  public init(_ nodes: [Int?], of network: Network) {
    self.nodes = nodes
    let looked = nodes.compactMap(\.self)
    guard !looked.isEmpty else {
      self.network = network
      places = nodes
      return
    }
    let part = network.graph.part(upTo: looked)
    let below = network.graph.nodesBelow(looked)
    places = nodes.map { node in node.flatMap { below.firstIndex(of: $0) } }
    let own = network.part(part)
    self.network = Network(
      part.graph.exposing(places.compactMap(\.self)), parameters: own.parameters,
      buffers: own.buffers)
  }

  /// How many samples are best computed at a time: such that the largest of values takes 16 MB, and a thousand at most.
  public var rowsAtATime: Int { network.graph.rowsAtATime }

  /// The values.
  ///
  /// - Parameters:
  ///   - inputs: rows × inputs, as ``Network/forward(_:rows:workspace:)`` takes them; may be longer.
  ///   - rows: how many samples.
  ///   - threads: how many threads compute.
  /// - Returns: of each of ``nodes`` rows × its size.
  public func values(_ inputs: [Float], rows: Int, threads: Int = 1) -> [[Float]] {
    let graph = network.graph
    guard places.contains(where: { $0 != nil }) else {
      return nodes.map { _ in graph.pixelByPixel(inputs, rows: rows) }
    }
    // One value that is the output needs none of the others kept.
    let isOutputAlone = places == [graph.nodes.count - 1]
    var workspace = Workspace(
      graph, capacity: rows, threads: threads, purpose: isOutputAlone ? .inference : .looking)
    network.forward(inputs, rows: rows, workspace: &workspace)
    guard !isOutputAlone else { return [workspace.logits] }
    return places.map { place in
      place.flatMap { workspace.value(of: $0) } ?? graph.pixelByPixel(inputs, rows: rows)
    }
  }
}

extension Graph {
  /// How many samples are best computed at a time: such that the largest of values takes 16 MB, and a thousand at most.
  public var rowsAtATime: Int {
    let largest = (0...nodes.count).reduce(1) { max($0, shapes.size($1)) }
    return min(1000, max((1 << 22) / largest, 8))
  }

  /// Samples as passes have them: images of several channels pixel by pixel, and others as they are.
  func pixelByPixel(_ inputs: [Float], rows: Int) -> [Float] {
    guard readsChannels else { return Array(inputs[..<(rows * self.inputs)]) }
    let (channels, pixels) = (inputShape[0], inputShape[1] * inputShape[2])
    var result = [Float](repeating: 0, count: rows * self.inputs)
    inputs.withUnsafeBufferPointer { inputs in
      result.withUnsafeMutableBufferPointer { out in
        guard let inputs = inputs.baseAddress, let out = out.baseAddress else { return }
        transposeImages(inputs, rows: rows, from: channels, by: pixels) { out[$0] = $1 }
      }
    }
    return result
  }
}
