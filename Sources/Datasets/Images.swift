import Networks
import Tensors

/// Some images of a set as networks read them: which ones, and how their bytes become inputs.
///
/// The one reader of pixels: batches, evaluation, soft targets and statistics all ask here.
public struct Images: Samples {
  public let dataset: Dataset

  /// Which images of the set, by place.
  public let indices: [Int]
  public let normalization: Normalization

  /// Whether augmentation shows images mirrored left to right as often as they are.
  public let isFlipping: Bool

  /// Whether samples are written mirrored.
  private var isMirrored = false

  /// Some images of a set.
  ///
  /// - Parameters:
  ///   - dataset: the set.
  ///   - indices: which images; nil for all of them.
  ///   - normalization: how bytes become inputs.
  ///   - isFlipping: whether augmentation mirrors them.
  public init(
    _ dataset: Dataset, indices: [Int]? = nil, normalization: Normalization,
    isFlipping: Bool = false
  ) {
    self.dataset = dataset
    self.indices = indices ?? Array(0..<dataset.count)
    self.normalization = normalization
    self.isFlipping = isFlipping
  }

  public var views: [any Samples] {
    guard isFlipping else { return [self] }
    var mirrored = self
    mirrored.isMirrored = true
    return [self, mirrored]
  }

  public var count: Int { indices.count }
  public var features: Int { dataset.features }

  /// The class of each image.
  public var labels: [Int] { indices.map { Int(dataset.labels[$0]) } }

  /// The first images, or all if there are not so many.
  public func prefix(_ count: Int) -> Images {
    Images(
      dataset, indices: Array(indices.prefix(count)), normalization: normalization,
      isFlipping: isFlipping)
  }

  /// Writes some images, row by row.
  public func write(_ places: Range<Int>, into inputs: inout [Float]) {
    write(places, isFlipped: { _ in isMirrored }, into: &inputs)
  }

  /// Writes some images as floats, row by row.
  ///
  /// - Parameters:
  ///   - places: which of the images.
  ///   - isFlipped: whether the image at a place is mirrored left to right.
  ///   - threads: how many threads may share the work.
  ///   - inputs: at least places × features floats.
  public func write(
    _ places: Range<Int>, isFlipped: @Sendable (Int) -> Bool, threads: Int = 1,
    into inputs: inout [Float]
  ) {
    write(
      places.count, image: { indices[places.lowerBound + $0] },
      isFlipped: { isFlipped(places.lowerBound + $0) }, threads: threads, into: &inputs)
  }

  /// Writes some images of the set, whichever they are, row by row.
  func write(
    _ count: Int, image: @Sendable (Int) -> Int, isFlipped: @Sendable (Int) -> Bool, threads: Int,
    into inputs: inout [Float]
  ) {
    let features = features
    inputs.withUnsafeMutableBufferPointer { inputs in
      // Each row is written by one thread.
      nonisolated(unsafe) let inputs = inputs
      let parts = min(threads, count)
      concurrently(parts, threads: threads) { index in
        for row in index * count / parts..<(index + 1) * count / parts {
          write(
            image(row), isFlipped: isFlipped(row),
            into: UnsafeMutableBufferPointer(
              rebasing: inputs[row * features..<(row + 1) * features]))
        }
      }
    }
  }

  private func write(
    _ image: Int, isFlipped: Bool, into out: UnsafeMutableBufferPointer<Float>
  ) {
    let features = features
    dataset.pixels.withUnsafeBufferPointer { pixels in
      normalizeImage(
        UnsafeBufferPointer(rebasing: pixels[image * features..<(image + 1) * features]),
        width: dataset.shape.width, isFlipped: isFlipped, scale: normalization.scale,
        shift: normalization.shift, into: out)
    }
  }
}
