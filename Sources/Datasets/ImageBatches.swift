import Networks
import Tensors

/// Targets for each image of a set, for the image as it is and for its mirror image.
public struct SoftTargets: Equatable, Sendable {
  public let classes: Int

  /// Images × 2 views × classes probabilities; view 0 as it is, view 1 mirrored.
  public let values: [Float]

  /// Targets of two views an image.
  public init(classes: Int, values: [Float]) {
    self.classes = classes
    self.values = values
  }
}

/// Seeded epochs of batches from some images.
///
/// The order and the flips of an epoch are functions of (seed, purpose, member, epoch) alone. The last
/// batch of an epoch is smaller if the images do not divide evenly.
public struct ImageBatches: BatchSource {
  public let images: Images
  public let batchSize: Int
  public let isFlipping: Bool

  /// Targets to distil from, for every image of the set.
  public let targets: SoftTargets?

  /// How many threads may assemble a batch.
  public var threads = 1

  private let seed: UInt64
  private let purpose: String
  private let member: Int
  private var order: [Int] = []
  private var flips: [Bool] = []

  /// Epochs over some images.
  ///
  /// - Parameters:
  ///   - images: what is learned from.
  ///   - batchSize: samples a batch.
  ///   - isFlipping: whether each image is mirrored with probability one half.
  ///   - targets: soft targets, for distillation.
  ///   - seed: the experiment's.
  ///   - purpose: what the batches are for; keeps the streams of members and of students apart.
  ///   - member: which member or student they are for.
  public init(
    _ images: Images, batchSize: Int, isFlipping: Bool, targets: SoftTargets? = nil, seed: UInt64,
    purpose: String, member: Int = 0
  ) {
    precondition(batchSize > 0, "a batch of \(batchSize)")
    self.images = images
    self.batchSize = batchSize
    self.isFlipping = isFlipping
    self.targets = targets
    self.seed = seed
    self.purpose = purpose
    self.member = member
  }

  public var features: Int { images.features }
  public var sampleCount: Int { images.count }
  public var batchesPerEpoch: Int { (images.count + batchSize - 1) / batchSize }

  public mutating func startEpoch(_ epoch: Int) {
    var random = RandomStream(seed: seed, "\(purpose) order", member, epoch)
    order = random.permutation(of: images.count).map { images.indices[$0] }
    guard isFlipping else { return flips = Array(repeating: false, count: images.count) }
    var coin = RandomStream(seed: seed, "\(purpose) flip", member, epoch)
    flips = images.indices.map { _ in coin.next() >> 63 == 1 }
  }

  public func fill(_ batch: inout Batch, with index: Int, rows: Range<Int>) {
    precondition(!order.isEmpty, "startEpoch comes before the first batch")
    let start = index * batchSize
    fill(&batch, places: start + rows.lowerBound..<min(start + rows.upperBound, order.count))
  }

  /// Fills `batch` with the images at some places of the epoch's order.
  func fill(_ batch: inout Batch, places samples: Range<Int>) {
    batch.count = samples.count
    if let targets, batch.targets.isEmpty {
      batch.targets = Array(repeating: 0, count: batch.capacity * targets.classes)
    }
    let first = samples.lowerBound
    images.write(
      samples.count, image: { order[first + $0] }, isFlipped: { flips[first + $0] },
      threads: threads, into: &batch.inputs)
    for (row, sample) in samples.enumerated() {
      let image = order[sample]
      batch.labels[row] = Int(images.dataset.labels[image])
      guard let targets else { continue }
      let classes = targets.classes
      let start = (2 * image + (flips[sample] ? 1 : 0)) * classes
      for c in 0..<classes { batch.targets[row * classes + c] = targets.values[start + c] }
    }
  }
}
