/// How samples are cut for sums, by their number alone: into chunks that are computed at a time, and runs of chunks,
/// the shards, that are handed out.
///
/// Sums are taken chunk by chunk within a shard and then shard by shard, so their bits do not depend on which thread
/// or rank computed a shard.
public struct SampleShards: Sendable {
  /// The most samples in a chunk.
  public static let chunkSize = 1000

  /// The most shards: enough for as many threads and ranks to share, few enough to gather whole.
  private static let most = 16

  public let sampleCount: Int

  /// The shards of some samples.
  public init(sampleCount: Int) { self.sampleCount = sampleCount }

  private var chunkCount: Int { Self.chunks(of: sampleCount).count }

  /// Some samples, all of one shard, in chunks.
  public static func chunks(of count: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: chunkSize).map { $0..<min($0 + chunkSize, count) }
  }

  /// How many shards there are; none is empty.
  public var count: Int { min(Self.most, chunkCount) }

  /// The chunks of a shard, as ranges of samples, in the order they are added.
  public func chunks(of shard: Int) -> [Range<Int>] {
    (shard * chunkCount / count..<(shard + 1) * chunkCount / count).map {
      $0 * Self.chunkSize..<min(($0 + 1) * Self.chunkSize, sampleCount)
    }
  }
}
