import Networks
import Tensors

/// Members' own images: each shard is with the worker who trains its member, and with nobody else.
public struct ShardedImages: Sendable {
  /// How many images each member has, known to all.
  public let counts: [Int]

  /// By member, the images themselves; nil where another worker has them.
  public let shards: [Images?]

  public let features: Int

  /// Shards, at least one.
  ///
  /// - Parameters:
  ///   - shards: by member; nil where another worker has it.
  ///   - counts: of all shards.
  ///   - features: numbers a sample.
  public init(_ shards: [Images?], counts: [Int], features: Int) {
    precondition(!counts.isEmpty && shards.count == counts.count)
    for (shard, count) in zip(shards, counts) {
      precondition(shard.map { $0.count == count && $0.features == features } ?? true)
    }
    self.shards = shards
    self.counts = counts
    self.features = features
  }

}

/// Seeded epochs of batches to which every shard adds its share.
///
/// An epoch shows each image once. Step s of S takes from a shard of n images those at about the places s n/S to (s + 1) n/S of
/// its own order, so each batch has as much of every shard as the whole has. Part p of a batch is what shard p adds.
public struct ShardedBatches: BatchSource {
  public let batchSize: Int
  public let images: ShardedImages
  private var shards: [ImageBatches?]

  /// Epochs over shards.
  ///
  /// - Parameters:
  ///   - images: the shards.
  ///   - batchSize: samples a batch, of all shards together.
  ///   - isFlipping: whether each image is mirrored with probability one half.
  ///   - targets: by member, soft targets of the shard; empty without.
  ///   - seed: the experiment's.
  ///   - purpose: what the batches are for.
  public init(
    _ images: ShardedImages, batchSize: Int, isFlipping: Bool, targets: [SoftTargets?] = [],
    seed: UInt64, purpose: String
  ) {
    precondition(batchSize > 0, "a batch of \(batchSize)")
    self.images = images
    self.batchSize = batchSize
    shards = images.shards.enumerated().map { member, shard in
      shard.map {
        ImageBatches(
          $0, batchSize: batchSize, isFlipping: isFlipping,
          targets: targets.isEmpty ? nil : targets[member], seed: seed, purpose: purpose,
          member: member)
      }
    }
  }

  public var features: Int { images.features }
  public var sampleCount: Int { images.counts.reduce(0, +) }
  public var batchesPerEpoch: Int { (sampleCount + batchSize - 1) / batchSize }
  public var shardCounts: [Int] { images.counts }

  public func shard(_ number: Int) -> any BatchSource {
    guard let own = shards[number] else {
      preconditionFailure("shard \(number) is with another worker")
    }
    return own
  }

  public mutating func startEpoch(_ epoch: Int) {
    for shard in shards.indices { shards[shard]?.startEpoch(epoch) }
  }

  /// The places of a shard's order that a batch takes.
  private func places(of shard: Int, inBatch index: Int) -> Range<Int> {
    // Shards round at different steps, so that batches are of one size but for one or two.
    let (count, members) = (images.counts[shard], images.counts.count)
    func border(_ step: Int) -> Int {
      (step * count + shard * batchesPerEpoch / members) / batchesPerEpoch
    }
    return border(index)..<border(index + 1)
  }

  public func parts(ofBatch index: Int) -> [Range<Int>] {
    var end = 0
    return shards.indices.map { shard in
      let start = end
      end += places(of: shard, inBatch: index).count
      return start..<end
    }
  }

  public func count(ofBatch index: Int) -> Int { parts(ofBatch: index).last?.upperBound ?? 0 }

  /// Fills `batch` with one part of a batch, whose shard this worker has; other rows are a precondition failure.
  public func fill(_ batch: inout Batch, with index: Int, rows: Range<Int>) {
    guard let shard = parts(ofBatch: index).firstIndex(of: rows), let own = shards[shard] else {
      preconditionFailure("rows \(rows) of a batch are with another worker")
    }
    own.fill(&batch, places: places(of: shard, inBatch: index))
  }
}
