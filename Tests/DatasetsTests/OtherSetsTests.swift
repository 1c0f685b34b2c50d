import Foundation
import Networks
import TestSupport
import Testing

@testable import Datasets

/// Sets of other shapes and formats, each in small files written here.
@Suite struct OtherSetsTests {
  /// CIFAR's records: labels, then three planes of 32 × 32 bytes that tell the image and the place.
  static func records(_ labels: [[UInt8]], first: Int = 0) -> Data {
    var data = Data()
    for (image, label) in labels.enumerated() {
      data += label
      data += (0..<3072).map {
        UInt8(truncatingIfNeeded: 7 * (first + image) + $0 / 1024 * 50 + $0 % 31)
      }
    }
    return data
  }

  private func write(_ files: [String: Data], to folder: String) throws {
    for (name, data) in files { try data.write(to: URL(fileURLWithPath: "\(folder)/\(name)")) }
  }

  private var cifar10: [String: Data] {
    var files = ["test_batch.bin": Self.records([[9], [0]], first: 10)]
    for batch in 1...5 {
      files["data_batch_\(batch).bin"] = Self.records([[UInt8(batch)], [0]], first: 2 * batch - 2)
    }
    return files
  }

  @Test func `CIFAR-10 is read in the order of its files, channel by channel`() throws {
    try withTemporaryFolder { folder in
      try write(cifar10, to: folder)
      let pair = try DatasetName.cifar10.load(from: folder)
      #expect(pair.training.count == 10 && pair.test.count == 2)
      #expect(pair.training.labels == [1, 0, 2, 0, 3, 0, 4, 0, 5, 0])
      #expect(pair.training.shape == ImageShape(channels: 3, height: 32, width: 32))
      #expect(pair.training.classes == 10)
      let images = Images(pair.training, normalization: .symmetric)
      var inputs = [Float](repeating: 0, count: 3072)
      images.write(3..<4, into: &inputs)
      for place in [0, 33, 1024, 2048 + 5 * 32 + 7, 3071] {
        let byte = Float(UInt8(truncatingIfNeeded: 21 + place / 1024 * 50 + place % 31))
        #expect(abs(inputs[place] - (byte / 255 - 0.5) / 0.5) < 1e-6)
      }
      // Mirrored, each row of each channel is reversed.
      var mirrored = inputs
      images.write(3..<4, isFlipped: { _ in true }, into: &mirrored)
      for row in 0..<96 {
        for column in 0..<32 {
          #expect(mirrored[row * 32 + column] == inputs[row * 32 + 31 - column])
        }
      }
      #expect(try DatasetName.cifar10.loadTraining(from: folder) == pair.training)
      #expect(try DatasetName.cifar10.loadTest(from: folder) == pair.test)
    }
  }

  @Test func `CIFAR-100 has the fine labels`() throws {
    try withTemporaryFolder { folder in
      try write(
        ["train.bin": Self.records([[3, 99], [19, 0]]), "test.bin": Self.records([[1, 42]])],
        to: folder)
      let pair = try DatasetName.cifar100.load(from: folder)
      #expect(pair.training.labels == [99, 0] && pair.test.labels == [42])
      #expect(pair.training.classes == 100)
      #expect(pair.test.pixels[0] == 0 && pair.test.pixels[1024] == UInt8(50 + 1024 % 31))
    }
  }

  @Test func `a CIFAR folder that is none is an error that names the file`() throws {
    func problem(_ change: (inout [String: Data]) -> Void) throws -> String {
      try withTemporaryFolder { folder in
        var files = cifar10
        change(&files)
        try write(files, to: folder)
        let error = #expect(throws: DataError.self) { try DatasetName.cifar10.load(from: folder) }
        return error?.description.replacingOccurrences(of: folder, with: "DIR") ?? ""
      }
    }
    #expect(try problem { $0["data_batch_4.bin"] = nil }.contains("holds no data_batch_4.bin"))
    #expect(
      try problem { $0["data_batch_2.bin"]?.removeLast() }
        .contains("DIR/data_batch_2.bin: is 6145 bytes long; images of cifar-10 have 3073 each"))
    #expect(try problem { $0["test_batch.bin"] = Data() }.contains("test_batch.bin: is 0 bytes"))
    #expect(
      try problem { $0["data_batch_1.bin"]?[3073] = 10 }
        .contains("image 1 has the label 10; there are 10 classes"))
  }

  @Test(
    arguments: [
      (DatasetName.kmnist, "train", "t10k", [0, 9, 4], 10),
      (.emnistBalanced, "emnist-balanced-train", "emnist-balanced-test", [0, 46, 4], 47),
      (.emnistLetters, "emnist-letters-train", "emnist-letters-test", [1, 26, 4], 26),
    ] as [(DatasetName, String, String, [UInt8], Int)])
  func `sets in MNIST's form are read under their names`(
    name: DatasetName, training: String, test: String, labels: [UInt8], classes: Int
  ) throws {
    try withTemporaryFolder { folder in
      let pixels = (0..<18).map { UInt8($0) }
      for part in [training, test] {
        try write(
          [
            "\(part)-images-idx3-ubyte": Data(idx([3, 2, 3], pixels)),
            "\(part)-labels-idx1-ubyte": Data(idx([3], labels)),
          ], to: folder)
      }
      let pair = try name.load(from: folder)
      #expect(pair.training.classes == classes)
      let first: UInt8 = name == .emnistLetters ? 1 : 0
      #expect(pair.training.labels == labels.map { $0 - first })
      if name == .kmnist {
        #expect(pair.training.shape == ImageShape(height: 2, width: 3))
        #expect(pair.training.pixels == pixels)
      } else {
        // Rows and columns are exchanged in the files.
        #expect(pair.training.shape == ImageShape(height: 3, width: 2))
        #expect(pair.training.pixels.prefix(6) == [0, 3, 1, 4, 2, 5])
      }
      #expect(try name.loadTest(from: folder) == pair.test)
      guard name != .kmnist else { return }
      var wrong = labels
      wrong[1] = name == .emnistLetters ? 0 : 47
      try write(["\(training)-labels-idx1-ubyte": Data(idx([3], wrong))], to: folder)
      let error = #expect(throws: DataError.self) { try name.load(from: folder) }
      #expect(error?.description.contains("label 1 is \(wrong[1])") == true)
    }
  }

  @Test func `texts that say nothing of images take those of the data`() throws {
    let resnet = try #require(Graph("resnet20"))
    #expect(
      resnet.ofUsualImages(resizedTo: [3, 32, 32], classes: 100) == Graph("resnet20:3x32x32-100"))
    #expect(resnet.ofUsualImages(resizedTo: [1, 28, 28], classes: 10).description == "resnet20")
    let other = try #require(Graph("lenet5:1x12x12-4"))
    #expect(other.ofUsualImages(resizedTo: [3, 32, 32], classes: 10) == other)
    let plain = try #require(Graph("784-10"))
    #expect(plain.ofUsualImages(resizedTo: [3, 32, 32], classes: 10) == plain)
  }
}
