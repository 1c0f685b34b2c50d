import Datasets
import Networks
import Synchronization

/// How many images are computed at a time; fixed, because another number would give other last bits.
public let evaluationChunk = 1000

/// The logits of a network for images of a set.
///
/// - Parameters:
///   - network: takes the set's features.
///   - dataset: the images.
///   - images: which of them, in this order; nil for all.
///   - normalization: how bytes become the network's inputs.
///   - isFlipped: whether every image is mirrored first.
///   - threads: how many threads compute; the bits do not depend on it.
/// - Returns: images × classes.
public func logits(
  of network: Network, on dataset: Dataset, images: [Int]? = nil, normalization: Normalization,
  isFlipped: Bool = false, threads: Int = 1
) -> [Float] {
  let images = images ?? Array(0..<dataset.count)
  let classes = network.architecture.outputs
  let chunks = stride(from: 0, to: images.count, by: evaluationChunk).map {
    $0..<min($0 + evaluationChunk, images.count)
  }
  let results = Mutex([[Float]](repeating: [], count: chunks.count))
  concurrently(chunks.count, threads: threads) { index in
    let chunk = chunks[index]
    var inputs = [Float](repeating: 0, count: chunk.count * dataset.features)
    for (row, image) in images[chunk].enumerated() {
      dataset.normalize(
        image, by: normalization, isFlipped: isFlipped, into: &inputs, row: row)
    }
    var workspace = Workspace(network.architecture, capacity: chunk.count)
    network.forward(inputs, rows: chunk.count, workspace: &workspace)
    let logits = Array(workspace.logits.prefix(chunk.count * classes))
    results.withLock { $0[index] = logits }
  }
  return results.withLock { Array($0.joined()) }
}

extension Dataset {
  /// The labels of some images, as class numbers.
  public func labels(of images: [Int]? = nil) -> [Int] {
    guard let images else { return labels.map(Int.init) }
    return images.map { Int(labels[$0]) }
  }
}
