import Foundation

/// A folder with the binary files of CIFAR-10 or CIFAR-100 (Krizhevsky 2009), plain.
///
/// An image is its label (of CIFAR-100 the coarse one and then the fine one, which counts) and 3 × 32 × 32 bytes: all red pixels, row by
/// row, then green, then blue. Source: https://www.cs.toronto.edu/~kriz/cifar.html
struct CIFARFolder {
  let path: String
  let name: DatasetName

  /// Where the folder was named, if not with `--data`.
  var option: String?

  private static let shape = ImageShape(channels: 3, height: 32, width: 32)
  private var isFine: Bool { name == .cifar100 }

  private var advice: String {
    option.map { "name a folder with the files of training images with \($0)" } ?? name.advice
  }

  func read() throws(DataError) -> DatasetPair {
    DatasetPair(training: try readTraining(), test: try readTest())
  }

  /// Reads the training images; of CIFAR-10 there are five files.
  func readTraining() throws(DataError) -> Dataset {
    try read("train", isFine ? ["train.bin"] : (1...5).map { "data_batch_\($0).bin" })
  }

  func readTest() throws(DataError) -> Dataset {
    try read("test", [isFine ? "test.bin" : "test_batch.bin"])
  }

  private func read(_ part: String, _ files: [String]) throws(DataError) -> Dataset {
    let labelBytes = isFine ? 2 : 1
    let size = labelBytes + Self.shape.count
    var (pixels, labels) = ([UInt8](), [UInt8]())
    for file in files {
      let place = "\(path)/\(file)"
      guard let data = FileManager.default.contents(atPath: place) else {
        throw DataError(path, "holds no \(file), or it cannot be read; \(advice)")
      }
      guard !data.isEmpty, data.count.isMultiple(of: size) else {
        throw DataError(
          place,
          "is \(data.count) bytes long; images of \(name.rawValue) have \(size) each, so it is truncated or"
            + " another format: fetch the binary version again")
      }
      for start in stride(from: 0, to: data.count, by: size) {
        let label = data[start + labelBytes - 1]
        guard label < name.classes else {
          throw DataError(
            place,
            "image \(start / size) has the label \(label); there are \(name.classes) classes, from 0"
          )
        }
        labels.append(label)
        pixels += data[start + labelBytes..<start + size]
      }
    }
    return try Dataset(
      name: "\(name.rawValue) \(part)", pixels: pixels, labels: labels, shape: Self.shape,
      classes: name.classes)
  }
}
