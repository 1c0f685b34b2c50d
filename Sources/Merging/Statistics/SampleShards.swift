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

  private var chunkCount: Int { (sampleCount + Self.chunkSize - 1) / Self.chunkSize }

  /// How many shards there are; none is empty.
  public var count: Int { min(Self.most, chunkCount) }

  /// The chunks of a shard, as ranges of samples, in the order they are added.
  public func chunks(of shard: Int) -> [Range<Int>] {
    (shard * chunkCount / count..<(shard + 1) * chunkCount / count).map {
      $0 * Self.chunkSize..<min(($0 + 1) * Self.chunkSize, sampleCount)
    }
  }

  /// The sum of shards' sums, added in the shards' order.
  ///
  /// - Parameters:
  ///   - shards: the sum over each shard, by its number.
  ///   - count: how many numbers each has.
  /// - Returns: `count` numbers.
  public static func total(_ shards: [ArraySlice<Double>], count: Int) -> [Double] {
    var result = [Double](repeating: 0, count: count)
    var sums = result.mutableSpan
    for shard in shards {
      precondition(shard.count == count, "a shard of \(shard.count) numbers among \(count)")
      let shard = shard.span
      for i in sums.indices { sums[i] += shard[i] }
    }
    return result
  }
}

extension SampleStatistic {
  /// The sum over the chunks of one shard, on this thread.
  ///
  /// - Parameters:
  ///   - chunks: as ``SampleShards/chunks(of:)`` gives them.
  ///   - features: how many numbers a sample has.
  ///   - fill: writes some samples into a buffer, row by row.
  /// - Returns: ``count`` numbers.
  public func sum(
    over chunks: [Range<Int>], features: Int, filling fill: (Range<Int>, inout [Float]) -> Void
  ) -> [Double] {
    var sums = [Double](repeating: 0, count: count)
    var inputs = [Float](repeating: 0, count: SampleShards.chunkSize * features)
    for chunk in chunks {
      fill(chunk, &inputs)
      accumulate(inputs: inputs, rows: chunk.count, into: &sums)
    }
    return sums
  }
}
