import Foundation

/// A data set that the program knows by name.
public enum DatasetName: String, Codable, Sendable, CaseIterable {
  case fashionMNIST = "fashion-mnist"
  case mnist
  case kmnist
  case emnistBalanced = "emnist-balanced"
  case emnistByClass = "emnist-byclass"
  case emnistByMerge = "emnist-bymerge"
  case emnistDigits = "emnist-digits"
  case emnistLetters = "emnist-letters"
  case cifar10 = "cifar-10"
  case cifar100 = "cifar-100"
  case synthetic

  /// Where the set's files are if nothing else is said.
  public var defaultFolder: String? {
    self == .fashionMNIST ? "/usr/share/datasets/fashion-mnist" : nil
  }

  /// How many classes it has.
  public var classes: Int {
    switch self {
    case .fashionMNIST, .mnist, .kmnist, .emnistDigits, .cifar10, .synthetic: 10
    case .emnistBalanced, .emnistByMerge: 47
    case .emnistByClass: 62
    case .emnistLetters: 26
    case .cifar100: 100
    }
  }

  /// How large its images are; IDX files may hold others.
  public var shape: ImageShape {
    isCIFAR
      ? ImageShape(channels: 3, height: 32, width: 32) : ImageShape(height: 28, width: 28)
  }

  private var isCIFAR: Bool { self == .cifar10 || self == .cifar100 }

  /// Whether the files are EMNIST's, whose images lie on their side (Cohen, Afshar, Tapson & van Schaik 2017).
  var isEMNIST: Bool { rawValue.hasPrefix("emnist-") }

  /// What the first class is called in the files.
  var firstLabel: UInt8 { self == .emnistLetters ? 1 : 0 }

  /// What the names of the files of a part begin with, `train` or `test`.
  func prefix(_ part: String) -> String {
    if isEMNIST { return "\(rawValue)-\(part)" }
    return part == "test" ? "t10k" : part
  }

  /// How to come by the files.
  var advice: String {
    switch self {
    case .fashionMNIST:
      "install the Debian package dataset-fashion-mnist, or name a folder with --data DIR"
    case .cifar10, .cifar100:
      "fetch the binary version, and name the folder that holds its .bin files with --data DIR"
    case .synthetic: "no files are needed"
    default: "name the folder that holds its four IDX files with --data DIR"
    }
  }

  /// Reads the set, or makes it.
  ///
  /// - Parameter folder: where its files are; by default ``defaultFolder``.
  /// - Returns: the part to learn from and the part to report on.
  /// - Throws: ``DataError``
  public func load(from folder: String? = nil) throws(DataError) -> DatasetPair {
    guard self != .synthetic else { return try SyntheticImages().makePair() }
    let folder = try given(folder, "data")
    return isCIFAR
      ? try CIFARFolder(path: folder, name: self).read()
      : try MNISTFolder(path: folder, name: self).read()
  }

  /// Reads a folder's training images alone.
  ///
  /// - Parameter folder: holds the files of them.
  /// - Returns: the images.
  /// - Throws: ``DataError``
  public func loadTraining(from folder: String) throws(DataError) -> Dataset {
    isCIFAR
      ? try CIFARFolder(path: folder, name: self, option: "--shard-data").readTraining()
      : try MNISTFolder(path: folder, name: self, option: "--shard-data").read("train")
  }

  /// Reads the test images alone, or makes them.
  ///
  /// - Parameter folder: where their files are; by default ``defaultFolder``.
  /// - Returns: the images.
  /// - Throws: ``DataError``
  public func loadTest(from folder: String? = nil) throws(DataError) -> Dataset {
    guard self != .synthetic else { return try SyntheticImages().makePair().test }
    let folder = try given(folder, "test images")
    return isCIFAR
      ? try CIFARFolder(path: folder, name: self).readTest()
      : try MNISTFolder(path: folder, name: self).read("test")
  }

  private func given(_ folder: String?, _ what: String) throws(DataError) -> String {
    guard let folder = folder ?? defaultFolder else {
      throw DataError(rawValue, "no folder of \(what) is given: \(advice)")
    }
    return folder
  }
}
