import Networks
import Tensors

/// What a node of a network reads, as rows that its weights are multiplied by.
///
/// A dense layer has a row a sample, a convolution one for each pixel that it writes, of all that this pixel reads (im2col).
struct LayerInputs: Sendable {
  /// How many numbers a row has, in the order of the weights of a unit.
  let count: Int

  /// How many rows a sample has.
  let pixels: Int

  private let view: NetworkView
  private let convolution: Convolution?

  init(of network: Network, _ node: Int) {
    let graph = network.graph
    let source = graph.inputs(of: node)[0]
    view = NetworkView([source], of: network)
    if let layer = graph.nodes[node].layer as? Conv2d {
      let convolution = layer.convolution(of: graph.inputShapes(of: node)[0])
      (count, pixels) = (convolution.patchCount, convolution.outputPixels)
      self.convolution = convolution
    } else {
      (count, pixels) = (graph.inputShapes(of: node)[0].reduce(1, *), 1)
      convolution = nil
    }
  }

  /// How many samples are best taken at a time: such that rows take 16 MB.
  var rowsAtATime: Int { min(view.rowsAtATime, max((1 << 22) / (count * pixels), 1)) }

  /// Rows · ``pixels`` × ``count``.
  func of(_ inputs: [Float], rows: Int) -> [Float] {
    let values = view.values(inputs, rows: rows)[0]
    return convolution?.patches(values, rows: rows) ?? values
  }
}
