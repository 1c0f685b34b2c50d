import Networks

/// Training samples, wherever they are, that statistics can be summed over.
///
/// Whoever merges asks for a sum; whether one thread computes it or the ranks of a cluster, the bits are the same,
/// because the samples are always cut as ``SampleShards`` says. Ask from the thread that merges: the answer may take
/// messages.
public protocol SampleSums {
  var sampleCount: Int { get }

  /// The statistic's ``SampleStatistic/count`` numbers, summed over all samples.
  func sum(_ statistic: SampleStatistic) throws -> [Double]
}

/// Samples in memory, summed over by threads of this process.
public struct InMemorySums: SampleSums, Sendable {
  private let inputs: [Float]
  private let features: Int
  private let threads: Int

  public let sampleCount: Int

  /// Sums over samples in memory.
  ///
  /// - Parameters:
  ///   - inputs: samples × features.
  ///   - features: how many numbers a sample has.
  ///   - threads: how many threads compute; the bits do not depend on it.
  public init(_ inputs: [Float], features: Int, threads: Int = 1) {
    precondition(inputs.count.isMultiple(of: features))
    self.inputs = inputs
    self.features = features
    self.threads = threads
    sampleCount = inputs.count / features
  }

  public func sum(_ statistic: SampleStatistic) -> [Double] {
    let shards = SampleShards(sampleCount: sampleCount)
    return SampleShards.total(
      concurrentMap(shards.count, threads: threads) { shard in
        statistic.sum(over: shards.chunks(of: shard), features: features) { samples, chunk in
          chunk.replaceSubrange(
            0..<samples.count * features,
            with: inputs[samples.lowerBound * features..<samples.upperBound * features])
        }[...]
      }, count: statistic.count)
  }
}
