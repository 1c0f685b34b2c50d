import Datasets
import Networks
import Tensors

/// How many images are computed at a time; fixed, because another number would give other last bits.
public let evaluationChunk = 1000

/// The logits of a network for some images.
///
/// - Parameters:
///   - network: takes the images' features.
///   - images: in this order.
///   - isFlipped: whether every image is mirrored first.
///   - threads: how many threads compute; the bits do not depend on it.
/// - Returns: images × classes.
public func logits(
  of network: Network, on images: Images, isFlipped: Bool = false, threads: Int = 1
) -> [Float] {
  let classes = network.graph.outputs
  let chunks = images.chunks
  let parts = concurrentMap(chunks.count, threads: threads) { index in
    let chunk = chunks[index]
    var inputs = [Float](repeating: 0, count: chunk.count * images.features)
    images.write(chunk, isFlipped: { _ in isFlipped }, into: &inputs)
    var workspace = Workspace(network.graph, capacity: chunk.count, purpose: .inference)
    network.forward(inputs, rows: chunk.count, workspace: &workspace)
    return Array(workspace.logits.prefix(chunk.count * classes))
  }
  return Array(parts.joined())
}

/// The share of images that a network classifies correctly.
public func accuracy(of network: Network, on images: Images, threads: Int = 1) -> Double {
  let predicted = Probabilities(
    logits: logits(of: network, on: images, threads: threads), classes: network.graph.outputs)
  let labels = images.labels
  let correct = labels.indices.reduce(0) { $0 + (predicted.prediction($1) == labels[$1] ? 1 : 0) }
  return Double(correct) / Double(max(labels.count, 1))
}

extension Images {
  /// The images in runs of ``evaluationChunk``.
  public var chunks: [Range<Int>] {
    stride(from: 0, to: count, by: evaluationChunk).map { $0..<min($0 + evaluationChunk, count) }
  }
}
