import Foundation
import TestSupport
import Testing

@testable import Datasets

/// Folders of IDX files, and what is said about bad ones.
@Suite struct MNISTFolderTests {
  @Test(arguments: [false, true])
  func `a folder is read, plain or compressed`(isCompressed: Bool) throws {
    try withTemporaryFolder { folder in
      try SmallFolder().write(to: folder, compressed: isCompressed)
      let pair = try DatasetName.mnist.load(from: folder)
      #expect(pair.training.pixels == Array(1...12))
      #expect(pair.training.labels == [0, 9, 4])
      #expect(pair.test.pixels == Array(21...28))
      #expect(pair.test.labels == [7, 7])
      for (part, name, count) in [(pair.training, "mnist train", 3), (pair.test, "mnist test", 2)] {
        #expect(part.name == name)
        #expect(part.shape == ImageShape(height: 2, width: 2) && part.classes == 10)
        #expect((part.count, part.features) == (count, 4))
      }
    }
  }

  @Test func `files may have a dot in their names, as some archives do`() throws {
    try withTemporaryFolder { folder in
      var small = SmallFolder()
      small.files = Dictionary(
        uniqueKeysWithValues: small.files.map {
          ($0.key.replacingOccurrences(of: "-idx", with: ".idx"), $0.value)
        })
      try small.write(to: folder)
      #expect(try DatasetName.fashionMNIST.load(from: folder).test.labels == [7, 7])
    }
  }

  @Test func `a missing folder is an error that says where data comes from`() {
    let fashion = problem { try DatasetName.fashionMNIST.load(from: "/nowhere/at/all") }
    #expect(fashion.hasPrefix("/nowhere/at/all: no such folder; "))
    #expect(fashion.contains("dataset-fashion-mnist"))
    #expect(fashion.contains("--data DIR"))
    let digits = problem { try DatasetName.mnist.load() }
    #expect(digits.hasPrefix("mnist: no folder of data is given"))
    #expect(digits.contains("--data DIR"))
  }

  @Test(arguments: SmallFolder.names)
  func `a missing file is an error that names it`(name: String) throws {
    try withTemporaryFolder { folder in
      var small = SmallFolder()
      small.files[name] = nil
      try small.write(to: folder, compressed: true)
      let problem = problem { try DatasetName.mnist.load(from: folder) }
      #expect(problem.hasPrefix("\(folder): holds no \(name), plain or .gz"))
      #expect(problem.contains("--data DIR"))
    }
  }

  struct BadFile: Sendable, CustomTestStringConvertible {
    let what: String
    let name: String
    let bytes: [UInt8]
    let words: String

    /// Of the training images or, if `isLabels`, of the training labels.
    init(_ what: String, isLabels: Bool = false, _ bytes: [UInt8], _ words: String) {
      self.what = what
      name = SmallFolder.names[isLabels ? 1 : 0]
      self.bytes = bytes
      self.words = words
    }

    var testDescription: String { what }
  }

  static let badFiles = [
    BadFile("nothing", [], "is 0 bytes long"),
    BadFile("three bytes", [0, 0, 8], "is 3 bytes long"),
    BadFile("text", Array("<html>".utf8), "starts with bytes 3c 68 74 6d, expected 0 0 8"),
    BadFile(
      "floats", idx([3, 2, 2], Array(repeating: 0, count: 48), type: 13),
      "elements of IDX type 13, expected 8"),
    BadFile("no dimensions", idx([], [1]), "claims 0 dimensions"),
    BadFile("five dimensions", idx([1, 1, 1, 1, 1], [1]), "claims 5 dimensions"),
    BadFile("half a header", Array(idx([3, 2, 2], []).prefix(15)), "claims 3 dimensions"),
    BadFile(
      "one byte less", idx([3, 2, 2], Array(1...11)),
      "holds 11 bytes after its header, but dimensions [3, 2, 2] need 12; it is truncated"),
    BadFile("one byte more", idx([3, 2, 2], Array(1...13)), "it has a tail"),
    BadFile(
      "absurd dimensions", idx([.max, .max, .max], Array(1...12)),
      "claims the dimensions [4294967295, 4294967295, 4294967295]"),
    BadFile("large dimensions", idx([.max, 2, 2], Array(1...12)), "need 17179869180"),
    BadFile("images of no pixels", idx([3, 0, 2], []), "holds no images"),
    BadFile("no images", idx([0, .max, .max], []), "holds 0 images, but"),
    BadFile("images without rows", idx([3, 4], Array(1...12)), "expected [images, height, width]"),
    BadFile("more images than labels", idx([4, 1, 1], [1, 2, 3, 4]), "holds 4 images, but"),
    BadFile("labels in rows", isLabels: true, idx([3, 1], [1, 2, 3]), "expected [labels]"),
    BadFile("fewer labels", isLabels: true, idx([2], [1, 2]), "holds 2 labels"),
    BadFile(
      "a label beyond the classes", isLabels: true, idx([3], [1, 2, 10]),
      "label 2 is 10; there are 10 classes, from 0"),
  ]

  @Test(arguments: badFiles, [false, true])
  func `a bad file is an error that says what is wrong`(file: BadFile, isCompressed: Bool) throws {
    try withTemporaryFolder { folder in
      var small = SmallFolder()
      small.files[file.name] = file.bytes
      try small.write(to: folder, compressed: isCompressed)
      let problem = problem { try DatasetName.mnist.load(from: folder) }
      #expect(problem.hasPrefix("\(folder)/train-"))
      #expect(problem.contains(file.words))
    }
  }

  @Test func `no images and no labels are an error`() throws {
    try withTemporaryFolder { folder in
      var small = SmallFolder()
      small.files[SmallFolder.names[0]] = idx([0, 2, 2], [])
      small.files[SmallFolder.names[1]] = idx([0], [])
      try small.write(to: folder)
      let problem = problem { try DatasetName.mnist.load(from: folder) }
      #expect(problem.contains("holds no images"))
    }
  }

  @Test func `images and labels that are swapped are an error that says so`() throws {
    try withTemporaryFolder { folder in
      var small = SmallFolder()
      let (images, labels) = (SmallFolder.names[0], SmallFolder.names[1])
      (small.files[images], small.files[labels]) = (small.files[labels], small.files[images])
      try small.write(to: folder)
      let problem = problem { try DatasetName.mnist.load(from: folder) }
      #expect(problem.hasPrefix("\(folder)/\(images): holds labels, and"))
      #expect(problem.contains("they are swapped"))
    }
  }

  @Test func `a compressed file cut anywhere is an error`() throws {
    try withTemporaryFolder { folder in
      try SmallFolder().write(to: folder, compressed: true)
      let path = "\(folder)/\(SmallFolder.names[0]).gz"
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      for length in 0..<whole.count {
        try whole.prefix(length).write(to: URL(fileURLWithPath: path))
        let problem = problem { try DatasetName.mnist.load(from: folder) }
        #expect(problem.hasPrefix("\(path): "), "cut at \(length)")
        // Before the ten bytes of gzip's header nothing says that there is more to come.
        guard length >= 10 else { continue }
        #expect(problem.contains("could not be decompressed"), "cut at \(length)")
        #expect(problem.contains("fetch it again"), "cut at \(length)")
      }
    }
  }

  @Test func `a compressed file whose contents were changed is an error`() throws {
    try withTemporaryFolder { folder in
      try SmallFolder().write(to: folder, compressed: true)
      let path = "\(folder)/\(SmallFolder.names[0]).gz"
      var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      bytes[bytes.count - 6] ^= 1
      try bytes.write(to: URL(fileURLWithPath: path))
      let problem = problem { try DatasetName.mnist.load(from: folder) }
      #expect(problem.contains("could not be decompressed"))
    }
  }

  @Test func `a folder in place of a file is an error`() throws {
    try withTemporaryFolder { folder in
      try FileManager.default.createDirectory(
        atPath: "\(folder)/\(SmallFolder.names[0])", withIntermediateDirectories: true)
      var small = SmallFolder()
      small.files[SmallFolder.names[0]] = nil
      try small.write(to: folder)
      let problem = problem { try DatasetName.mnist.load(from: folder) }
      #expect(problem.hasPrefix("\(folder)/\(SmallFolder.names[0]): "))
    }
  }

  /// What the error says that a closure throws.
  private func problem(_ body: () throws -> DatasetPair) -> String {
    let error = #expect(throws: DataError.self) { try body() }
    return error?.description ?? ""
  }
}
