/// Labelled images of bytes, in memory.
public struct Dataset: Equatable, Sendable {
  /// What the set is called: `fashion-mnist`, `cifar-10` …, and its part.
  public let name: String

  /// The images one after another, each channel by channel and row by row.
  public let pixels: [UInt8]

  /// The class of each image, below ``classes``.
  public let labels: [UInt8]

  /// How large the images are.
  public let shape: ImageShape
  public let classes: Int

  public var count: Int { labels.count }
  public var features: Int { shape.count }

  /// A set of images.
  ///
  /// - Throws: ``DataError`` if a label is not below `classes` or the counts differ.
  public init(
    name: String, pixels: [UInt8], labels: [UInt8], shape: ImageShape, classes: Int
  ) throws(DataError) {
    guard pixels.count == labels.count * shape.count else {
      throw DataError(
        name, "\(pixels.count) bytes of images of \(shape) for \(labels.count) labels")
    }
    guard let position = labels.firstIndex(where: { $0 >= classes }) else {
      self.name = name
      self.pixels = pixels
      self.labels = labels
      self.shape = shape
      self.classes = classes
      return
    }
    throw DataError(
      name, "label \(position) is \(labels[position]); there are \(classes) classes, from 0")
  }
}

/// The two parts of a set that come apart: what is learned from, and what is only reported.
public struct DatasetPair: Equatable, Sendable {
  public let training: Dataset
  public let test: Dataset

  /// A pair of parts.
  public init(training: Dataset, test: Dataset) {
    self.training = training
    self.test = test
  }
}
