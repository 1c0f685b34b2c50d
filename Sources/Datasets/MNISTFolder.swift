import Foundation

/// A folder with the four IDX files of MNIST or of Fashion-MNIST, plain or `.gz`.
struct MNISTFolder {
  let path: String
  let name: DatasetName

  /// Where the folder was named, if not with `--data`.
  var option: String?

  private var advice: String {
    option.map { "name a folder with the two IDX files of training images with \($0)" }
      ?? name.advice
  }

  func read() throws(DataError) -> DatasetPair {
    guard FileManager.default.fileExists(atPath: path) else {
      throw DataError(path, "no such folder; \(advice)")
    }
    let training = try readPart("train", prefix: "train")
    let test = try readPart("test", prefix: "t10k")
    guard (test.height, test.width) == (training.height, training.width) else {
      throw DataError(
        path,
        "has training images of \(training.height) × \(training.width) pixels and test images of"
          + " \(test.height) × \(test.width)")
    }
    return DatasetPair(training: training, test: test)
  }

  /// Reads one of the two parts, `train` or `t10k`.
  func read(_ part: String, prefix: String) throws(DataError) -> Dataset {
    guard FileManager.default.fileExists(atPath: path) else {
      throw DataError(path, "no such folder; \(advice)")
    }
    return try readPart(part, prefix: prefix)
  }

  private func readPart(_ part: String, prefix: String) throws(DataError) -> Dataset {
    let imagePath = try find("\(prefix)-images", "idx3-ubyte")
    let labelPath = try find("\(prefix)-labels", "idx1-ubyte")
    let images = try IDXFile(contentsOf: imagePath)
    let labels = try IDXFile(contentsOf: labelPath)
    if images.dimensions.count == 1, labels.dimensions.count == 3 {
      throw DataError(imagePath, "holds labels, and \(labelPath) holds images: they are swapped")
    }
    guard images.dimensions.count == 3 else {
      throw DataError(
        imagePath, "has dimensions \(images.dimensions), expected [images, height, width]")
    }
    guard labels.dimensions.count == 1 else {
      throw DataError(labelPath, "has dimensions \(labels.dimensions), expected [labels]")
    }
    guard images.dimensions[0] == labels.dimensions[0] else {
      throw DataError(
        imagePath,
        "holds \(images.dimensions[0]) images, but \(labelPath) holds \(labels.dimensions[0]) labels"
      )
    }
    guard images.dimensions[0] > 0, images.dimensions[1] * images.dimensions[2] > 0 else {
      throw DataError(imagePath, "holds no images: its dimensions are \(images.dimensions)")
    }
    do {
      return try Dataset(
        name: "\(name.rawValue) \(part)", pixels: images.bytes, labels: labels.bytes,
        height: images.dimensions[1], width: images.dimensions[2], classes: 10)
    } catch {
      throw DataError(labelPath, error.problem)
    }
  }

  /// The file of a part under one of the names it is known by.
  private func find(_ stem: String, _ format: String) throws(DataError) -> String {
    let names = ["-", "."].flatMap { separator in
      ["", ".gz"].map { "\(stem)\(separator)\(format)\($0)" }
    }
    for name in names {
      let candidate = "\(path)/\(name)"
      if FileManager.default.fileExists(atPath: candidate) { return candidate }
    }
    throw DataError(
      path, "holds no \(names[0]), plain or .gz; \(advice)")
  }
}
