import Foundation

/// A data set that the program knows by name.
public enum DatasetName: String, Codable, Sendable, CaseIterable {
  case fashionMNIST = "fashion-mnist"
  case mnist
  case synthetic

  /// Where the set's files are if nothing else is said.
  public var defaultFolder: String? {
    switch self {
    case .fashionMNIST: "/usr/share/datasets/fashion-mnist"
    case .mnist, .synthetic: nil
    }
  }

  /// How to come by the files.
  var advice: String {
    switch self {
    case .fashionMNIST:
      "install the Debian package dataset-fashion-mnist, or name a folder with --data DIR"
    case .mnist: "name the folder that holds its four IDX files with --data DIR"
    case .synthetic: "no files are needed"
    }
  }

  /// Reads the set, or makes it.
  ///
  /// - Parameter folder: where its files are; by default ``defaultFolder``.
  /// - Returns: the part to learn from and the part to report on.
  /// - Throws: ``DataError``
  public func load(from folder: String? = nil) throws(DataError) -> DatasetPair {
    switch self {
    case .synthetic: return try SyntheticImages().makePair()
    case .fashionMNIST, .mnist:
      guard let folder = folder ?? defaultFolder else {
        throw DataError(rawValue, "no folder of data is given: \(advice)")
      }
      return try MNISTFolder(path: folder, name: self).read()
    }
  }

  /// Reads a folder's training images alone.
  ///
  /// - Parameter folder: holds the two IDX files.
  /// - Returns: the images.
  /// - Throws: ``DataError``
  public func loadTraining(from folder: String) throws(DataError) -> Dataset {
    try MNISTFolder(path: folder, name: self, option: "--shard-data").read(
      "train", prefix: "train")
  }

  /// Reads the test images alone, or makes them.
  ///
  /// - Parameter folder: where their files are; by default ``defaultFolder``.
  /// - Returns: the images.
  /// - Throws: ``DataError``
  public func loadTest(from folder: String? = nil) throws(DataError) -> Dataset {
    switch self {
    case .synthetic: return try SyntheticImages().makePair().test
    case .fashionMNIST, .mnist:
      guard let folder = folder ?? defaultFolder else {
        throw DataError(rawValue, "no folder of test images is given: \(advice)")
      }
      return try MNISTFolder(path: folder, name: self).read("test", prefix: "t10k")
    }
  }
}
