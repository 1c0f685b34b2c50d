import Networks

/// Sums over training samples, which a team shares.
///
/// Whether one thread computes them or the ranks of a cluster, the bits are the same, because the samples are always cut as
/// ``SampleShards`` says.
public struct SampleSums: Sendable {
  private let samples: any Samples
  private let team: any Team

  /// Sums over some samples.
  public init(_ samples: any Samples, team: any Team = ThreadTeam()) {
    self.samples = samples
    self.team = team
  }

  public var sampleCount: Int { samples.count }

  /// The statistic's ``SampleStatistic/count`` numbers, summed over all samples, on every worker.
  public func sum(_ statistic: SampleStatistic) throws -> [Double] {
    let shards = SampleShards(sampleCount: samples.count)
    return try team.sum(shards.count, of: statistic.count, phase: "share statistics") {
      statistic.sum(over: samples, shards.chunks(of: $0))
    }
  }
}
