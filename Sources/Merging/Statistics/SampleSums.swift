import Networks
import Tensors

/// Sums over training samples, which a team shares.
///
/// Samples that every worker can read are cut into parts as ``SampleShards`` says; where each lies with one worker alone, the
/// members' shards are the parts, and nothing but sums leaves a worker. Either way the bits depend on neither threads nor
/// ranks.
public struct SampleSums: Sendable {
  /// Samples that are added up by one worker, in chunks.
  public struct Part: Sendable {
    public let samples: any Samples
    public let chunks: [Range<Int>]

    /// All labels of the samples.
    public let labels: [Int]
  }

  private enum Source {
    case whole(any Samples, SampleShards)
    /// By member, and how many of each are added up; nil where another worker has them.
    case sharded([(any Samples)?], [Int])
  }

  private let source: Source
  var team: any Team
  public let sampleCount: Int

  /// Sums over samples that every worker can read.
  public init(_ samples: any Samples, team: any Team = ThreadTeam()) {
    source = .whole(samples, SampleShards(sampleCount: samples.count))
    sampleCount = samples.count
    self.team = team
  }

  /// Sums over shards.
  ///
  /// - Parameters:
  ///   - shards: by member; nil where another worker has the samples.
  ///   - counts: how many samples each has.
  ///   - team: the workers; shard m is with ``Team/worker(of:)`` m.
  public init(_ shards: [(any Samples)?], counts: [Int], team: any Team) {
    source = .sharded(shards, counts)
    sampleCount = counts.reduce(0, +)
    self.team = team
  }

  private init(_ source: Source, sampleCount: Int, team: any Team) {
    (self.source, self.sampleCount, self.team) = (source, sampleCount, team)
  }

  /// Sums over the first samples alone, where there are more; of shards over the same share of each, and at least one.
  ///
  /// An image counts as often as it has pixels, so that some thousands are as good as all.
  func limited(to most: Int) -> SampleSums {
    guard sampleCount > most else { return self }
    switch source {
    case .whole(let samples, _):
      return SampleSums(
        .whole(samples, SampleShards(sampleCount: most)), sampleCount: most, team: team)
    case .sharded(let shards, let counts):
      let fewer = counts.map { ($0 * most + sampleCount - 1) / sampleCount }
      return SampleSums(.sharded(shards, fewer), sampleCount: fewer.reduce(0, +), team: team)
    }
  }

  /// Whether samples lie with different workers.
  public var isSharded: Bool {
    if case .sharded = source { true } else { false }
  }

  /// How many parts there are.
  public var partCount: Int {
    switch source {
    case .whole(_, let shards): shards.count
    case .sharded(let shards, _): shards.count
    }
  }

  /// A part, on the worker who has it.
  private func part(_ number: Int) -> Part {
    switch source {
    case .whole(let samples, let shards):
      return Part(samples: samples, chunks: shards.chunks(of: number), labels: samples.labels)
    case .sharded(let shards, let counts):
      guard let samples = shards[number] else {
        preconditionFailure("shard \(number) is with another worker")
      }
      return Part(
        samples: samples, chunks: SampleShards.chunks(of: counts[number]), labels: samples.labels)
    }
  }

  /// The statistic's ``SampleStatistic/count`` numbers, summed over all samples, on every worker.
  public func sum(_ statistic: SampleStatistic) throws -> [Double] {
    try sum(of: statistic.count) { statistic.sum(over: $0.samples, $0.chunks) }
  }

  /// Numbers summed over all parts, on every worker.
  ///
  /// - Parameters:
  ///   - length: how many numbers.
  ///   - body: what a part gives, perhaps on another thread.
  /// - Returns: the sums, in the order of the parts.
  /// - Throws: on every worker, if `body` throws on any.
  public func sum(
    of length: Int, _ body: @Sendable (Part) throws -> [Double]
  ) throws -> [Double] {
    try team.sum(partCount, of: length, phase: "share statistics") { try body(part($0)) }
  }

  /// As `sum`, of single precision, for sums of many numbers.
  public func sum(
    of length: Int, _ body: @Sendable (Part) throws -> [Float]
  ) throws -> [Float] {
    try reduce(of: length) { part, _ in
      try body(part)
    } _: {
      added($0)
    }
  }

  /// What the first worker makes of what all parts give, on every worker.
  ///
  /// - Parameters:
  ///   - length: how many numbers a part gives.
  ///   - body: what a part gives, by its number, perhaps on another thread.
  ///   - combine: makes the result of the parts, in their order.
  /// - Returns: what `combine` returned.
  /// - Throws: on every worker, if `body` throws on any.
  public func reduce<Element: BitwiseCopyable & Sendable, Combined: BitwiseCopyable & Sendable>(
    of length: Int, _ body: @Sendable (Part, Int) throws -> [Element],
    _ combine: ([ArraySlice<Element>]) -> [Combined]
  ) throws -> [Combined] {
    try team.reduce(
      partCount, of: length, phase: "share statistics", { try body(part($0), $0) }, combine)
  }

  /// What the worker of one part makes of it, on every worker.
  public func onFirstPart<Element: BitwiseCopyable & Sendable>(
    _ body: @Sendable (Part) throws -> [Element]
  ) throws -> [Element] {
    try team.map(1, phase: "share statistics") { _ in try body(part(0)) }[0]
  }
}

extension Network {
  /// The sum of the cross entropy with the labels over a part of the samples.
  ///
  /// - Parameters:
  ///   - part: samples with labels.
  ///   - chunks: how many of its chunks at most; nil for all.
  /// - Returns: nats.
  func totalLoss(on part: SampleSums.Part, chunks: Int? = nil) -> Double {
    var batch = Batch(capacity: SampleShards.chunkSize, features: part.samples.features)
    var workspace = Workspace(graph, capacity: batch.capacity)
    return part.chunks.prefix(chunks ?? part.chunks.count).reduce(0) { sum, chunk in
      part.samples.write(chunk, into: &batch.inputs)
      batch.count = chunk.count
      for (row, sample) in chunk.enumerated() { batch.labels[row] = part.labels[sample] }
      forward(batch.inputs, rows: batch.count, workspace: &workspace)
      let loss = CrossEntropy().evaluate(batch, workspace: &workspace).loss
      return sum + loss * Double(batch.count)
    }
  }
}
