/// A batch of samples, with buffers that are filled again and again.
public struct Batch: Sendable {
  /// How many samples are in it now, at most ``capacity``.
  public var count = 0

  public let capacity: Int
  public let features: Int

  /// Samples × features.
  public var inputs: [Float]

  /// The class of each sample.
  public var labels: [Int]

  /// Samples × classes of target probabilities, for distillation; empty where there are none.
  public var targets: [Float] = []

  /// An empty batch with room for `capacity` samples of `features` inputs each.
  public init(capacity: Int, features: Int) {
    self.capacity = capacity
    self.features = features
    inputs = Array(repeating: 0, count: capacity * features)
    labels = Array(repeating: 0, count: capacity)
  }
}

/// Epochs of batches that training and merging learn from.
///
/// A source knows where its samples come from, how they are ordered and augmented; what learns from
/// it only asks for the next batch. Epochs may be asked for in any order, and give the same batches
/// each time.
public protocol BatchSource: Sendable {
  var batchSize: Int { get }
  var batchesPerEpoch: Int { get }
  var features: Int { get }
  var sampleCount: Int { get }

  /// Draws the epoch's order and augmentation.
  mutating func startEpoch(_ epoch: Int)

  /// Fills `batch` with some rows of the `index`th batch of the epoch, or with as many of them as it has.
  func fill(_ batch: inout Batch, with index: Int, rows: Range<Int>)

  /// How many samples the `index`th batch of an epoch has.
  func count(ofBatch index: Int) -> Int

  /// How many samples each shard has, where samples lie with different workers: shard p, and part p of a batch, with
  /// ``Team/worker(of:)`` p, who alone may fill it. Empty where every worker has all.
  var shardCounts: [Int] { get }

  /// Batches of one shard alone, of as many samples as those of all; on the worker who has it.
  func shard(_ number: Int) -> any BatchSource

  /// How a team shares the rows of the `index`th batch: in parts, in order, each computed by one worker.
  func parts(ofBatch index: Int) -> [Range<Int>]
}

extension BatchSource {
  public var shardCounts: [Int] { [] }
  public var isSharded: Bool { !shardCounts.isEmpty }

  public func shard(_ number: Int) -> any BatchSource {
    preconditionFailure("batches of samples that every worker has")
  }

  /// By 256 samples at most, as even as can be.
  public func parts(ofBatch index: Int) -> [Range<Int>] {
    let count = count(ofBatch: index)
    let parts = (count + 255) / 256
    return (0..<parts).map { $0 * count / parts..<($0 + 1) * count / parts }
  }

  /// Fills `batch` with the `index`th batch of the epoch.
  public func fill(_ batch: inout Batch, with index: Int) {
    fill(&batch, with: index, rows: 0..<batchSize)
  }

  /// As many as a batch has, but fewer in the last one.
  public func count(ofBatch index: Int) -> Int {
    min(batchSize, sampleCount - index * batchSize)
  }
}
