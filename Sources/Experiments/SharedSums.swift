import Datasets
import MPI
import Merging
import Networks

/// Sums over an experiment's training images, each computed by all ranks when rank 0 asks for it.
///
/// Shard s of the images, which are as they are and not augmented, is computed by rank s mod R. The shards' sums are
/// gathered on rank 0 and added there in their order, so the bits do not depend on how many ranks there are. While
/// rank 0 does something else the others sleep.
final class SharedSums: SampleSums {
  private static let phase = "share statistics"

  private let world: Communicator
  private let dataset: Dataset
  private let images: [Int]
  private let normalization: Normalization
  private let shards: SampleShards
  private let threads: Int

  var sampleCount: Int { images.count }

  /// Sums over some images of a set.
  ///
  /// - Parameters:
  ///   - world: all ranks.
  ///   - dataset: the images, which every rank has.
  ///   - images: which of them, the same on every rank.
  ///   - normalization: how bytes become the networks' inputs.
  ///   - threads: how many threads this rank computes with.
  init(
    in world: Communicator, over dataset: Dataset, images: [Int], normalization: Normalization,
    threads: Int
  ) {
    self.world = world
    self.dataset = dataset
    self.images = images
    self.normalization = normalization
    self.threads = threads
    shards = SampleShards(sampleCount: images.count)
  }

  // MARK: - Rank 0

  func sum(_ statistic: SampleStatistic) throws -> [Double] {
    precondition(world.isRoot, "only rank 0 asks for sums")
    try world.idleBarrier(phase: "waiting for rank 0")
    var (header, parameters) = (statistic.header, statistic.parameters)
    try world.broadcast(&header, from: 0, phase: Self.phase)
    try world.broadcast(&parameters, from: 0, phase: Self.phase)
    let gathered = try share(statistic) ?? []
    return SampleShards.total(
      (0..<shards.count).map { shard in
        let place = shard / world.size * statistic.count
        return gathered[shard % world.size][place..<place + statistic.count]
      }, count: statistic.count)
  }

  /// Lets the other ranks return from ``serve()``.
  func release() throws {
    try world.idleBarrier(phase: "waiting for rank 0")
    var nothing: [Int] = []
    try world.broadcast(&nothing, from: 0, phase: Self.phase)
  }

  // MARK: - The other ranks

  /// Computes this rank's shards of whatever rank 0 asks for, until it asks for nothing more.
  func serve() throws {
    while true {
      try world.idleBarrier(phase: "waiting for rank 0")
      var header: [Int] = []
      try world.broadcast(&header, from: 0, phase: Self.phase)
      guard !header.isEmpty else { return }
      var parameters: [Float] = []
      try world.broadcast(&parameters, from: 0, phase: Self.phase)
      guard let statistic = SampleStatistic(header: header, parameters: parameters) else {
        preconditionFailure("rank 0 asked for the statistic \(header)")
      }
      _ = try share(statistic)
    }
  }

  // MARK: - All ranks

  /// Computes this rank's shards and gathers all on rank 0, one array a rank; nil elsewhere.
  private func share(_ statistic: SampleStatistic) throws -> [[Double]]? {
    let own = (0..<shards.count).filter { $0 % world.size == world.rank }
    let (dataset, images, normalization, shards) = (dataset, images, normalization, shards)
    let sums = Array(
      concurrentMap(own.count, threads: threads) { place in
        statistic.sum(over: shards.chunks(of: own[place]), features: dataset.features) {
          for (row, sample) in $0.enumerated() {
            dataset.normalize(
              images[sample], by: normalization, isFlipped: false, into: &$1, row: row)
          }
        }
      }.joined())
    // Ranks that are done leave their core to those that are not.
    try world.idleBarrier(phase: "waiting for the last statistics")
    return try world.gatherV(sums, to: 0, phase: Self.phase)
  }
}

extension Session {
  /// Does work on rank 0 that may ask for sums over the training images, which all ranks then compute.
  ///
  /// Between two sums the other ranks sleep.
  ///
  /// - Parameter work: done on rank 0; it asks from the thread it is called on.
  /// - Returns: what the work gave, on rank 0; nil elsewhere.
  /// - Throws: `JointFailure`, on every rank, if the work throws.
  func onRootWithSums<Value>(_ work: (SharedSums) throws -> Value) throws -> Value? {
    let images = try validationSplit().training
    let hasShard = world.rank < SampleShards(sampleCount: images.count).count
    let sums = SharedSums(
      in: world, over: try data().training, images: images,
      normalization: experiment.normalization, threads: try threadsWhileSharing(isBusy: hasShard))
    guard isRoot else {
      try sums.serve()
      return try world.together { nil }
    }
    let result = Result { try work(sums) }
    // After an error of MPI nothing can be agreed on any more.
    if case .failure(let error as MPIError) = result { throw error }
    try sums.release()
    return try world.together { try result.get() }
  }
}
