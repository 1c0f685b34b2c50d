import Networks

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

/// Seeded epochs of batches from a set of images.
///
/// The order and the flips of an epoch are functions of (seed, purpose, member, epoch) alone. The last
/// batch of an epoch is smaller if the images do not divide evenly.
public struct ImageBatches: BatchSource, Sendable {
  public let dataset: Dataset
  public let normalization: Normalization
  public let batchSize: Int
  public let isFlipping: Bool

  /// Which images of the set are used.
  public let indices: [Int]

  /// Targets to distil from, for every image of the set.
  public let targets: SoftTargets?

  /// How many threads may assemble a batch.
  public var threads = 1

  private let seed: UInt64
  private let purpose: String
  private let member: Int
  private var order: [Int] = []
  private var flips: [Bool] = []

  /// Epochs over some images of a set.
  ///
  /// - Parameters:
  ///   - dataset: the images.
  ///   - indices: which of them; nil for all.
  ///   - batchSize: samples a batch.
  ///   - normalization: how bytes become floats.
  ///   - isFlipping: whether each image is mirrored with probability one half.
  ///   - targets: soft targets, for distillation.
  ///   - seed: the experiment's.
  ///   - purpose: what the batches are for; keeps the streams of members and of students apart.
  ///   - member: which member or student they are for.
  public init(
    _ dataset: Dataset, indices: [Int]? = nil, batchSize: Int, normalization: Normalization,
    isFlipping: Bool, targets: SoftTargets? = nil, seed: UInt64, purpose: String, member: Int = 0
  ) {
    precondition(batchSize > 0, "a batch of \(batchSize)")
    self.dataset = dataset
    self.indices = indices ?? Array(0..<dataset.count)
    self.batchSize = batchSize
    self.normalization = normalization
    self.isFlipping = isFlipping
    self.targets = targets
    self.seed = seed
    self.purpose = purpose
    self.member = member
  }

  public var features: Int { dataset.features }
  public var sampleCount: Int { indices.count }
  public var batchesPerEpoch: Int { (indices.count + batchSize - 1) / batchSize }

  public mutating func startEpoch(_ epoch: Int) {
    var random = RandomStream(seed: seed, "\(purpose) order", member, epoch)
    order = random.permutation(of: indices.count).map { indices[$0] }
    guard isFlipping else { return flips = Array(repeating: false, count: indices.count) }
    var coin = RandomStream(seed: seed, "\(purpose) flip", member, epoch)
    flips = (0..<indices.count).map { _ in coin.next() >> 63 == 1 }
  }

  public func fill(_ batch: inout Batch, with index: Int) {
    precondition(!order.isEmpty, "startEpoch comes before the first batch")
    let samples = index * batchSize..<min((index + 1) * batchSize, order.count)
    batch.count = samples.count
    if let targets, batch.targets.isEmpty {
      batch.targets = Array(repeating: 0, count: batch.capacity * targets.classes)
    }
    normalize(samples, into: &batch.inputs)
    for (row, sample) in samples.enumerated() {
      let image = order[sample]
      batch.labels[row] = Int(dataset.labels[image])
      guard let targets else { continue }
      let classes = targets.classes
      let start = (2 * image + (flips[sample] ? 1 : 0)) * classes
      for c in 0..<classes { batch.targets[row * classes + c] = targets.values[start + c] }
    }
  }

  /// Writes the images at some places of the epoch as floats, row by row.
  private func normalize(_ samples: Range<Int>, into inputs: inout [Float]) {
    let features = features
    inputs.withUnsafeMutableBufferPointer { inputs in
      // Each row is written by one thread.
      nonisolated(unsafe) let inputs = inputs
      let parts = min(threads, samples.count)
      concurrently(parts, threads: threads) { index in
        for row in index * samples.count / parts..<(index + 1) * samples.count / parts {
          dataset.normalize(
            order[samples.lowerBound + row], by: normalization,
            isFlipped: flips[samples.lowerBound + row],
            into: UnsafeMutableBufferPointer(
              rebasing: inputs[row * features..<(row + 1) * features]))
        }
      }
    }
  }
}

extension Dataset {
  /// Writes one image as floats into a row of a buffer of images × features.
  ///
  /// - Parameters:
  ///   - image: which image.
  ///   - normalization: how bytes become floats.
  ///   - isFlipped: whether the image is mirrored left to right.
  ///   - inputs: the buffer.
  ///   - row: which of its rows is written.
  public func normalize(
    _ image: Int, by normalization: Normalization, isFlipped: Bool, into inputs: inout [Float],
    row: Int
  ) {
    inputs.withUnsafeMutableBufferPointer {
      normalize(
        image, by: normalization, isFlipped: isFlipped,
        into: UnsafeMutableBufferPointer(rebasing: $0[row * features..<(row + 1) * features]))
    }
  }

  fileprivate func normalize(
    _ image: Int, by normalization: Normalization, isFlipped: Bool,
    into out: UnsafeMutableBufferPointer<Float>
  ) {
    pixels.withUnsafeBufferPointer { pixels in
      normalizeImage(
        UnsafeBufferPointer(rebasing: pixels[image * features..<(image + 1) * features]),
        width: width, isFlipped: isFlipped, scale: normalization.scale, shift: normalization.shift,
        into: out)
    }
  }

  /// Writes a range of images, in order and as they are or all mirrored, into a buffer.
  ///
  /// - Parameters:
  ///   - range: which images.
  ///   - normalization: how bytes become floats.
  ///   - isFlipped: whether all are mirrored.
  ///   - inputs: at least range × features floats.
  public func normalize(
    _ range: Range<Int>, by normalization: Normalization, isFlipped: Bool = false,
    into inputs: inout [Float]
  ) {
    for (row, image) in range.enumerated() {
      normalize(image, by: normalization, isFlipped: isFlipped, into: &inputs, row: row)
    }
  }
}
