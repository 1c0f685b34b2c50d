import Foundation

/// A folder with the four IDX files of MNIST or of a set in its form, plain or `.gz`.
///
/// Those of EMNIST hold each image with its rows and columns exchanged, and call the first letter 1; both are put right.
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
    let training = try readPart("train")
    let test = try readPart("test")
    guard test.shape == training.shape else {
      throw DataError(
        path,
        "has training images of \(training.shape) pixels and test images of \(test.shape)")
    }
    return DatasetPair(training: training, test: test)
  }

  /// Reads one of the two parts, `train` or `test`.
  func read(_ part: String) throws(DataError) -> Dataset {
    guard FileManager.default.fileExists(atPath: path) else {
      throw DataError(path, "no such folder; \(advice)")
    }
    return try readPart(part)
  }

  private func readPart(_ part: String) throws(DataError) -> Dataset {
    let prefix = name.prefix(part)
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
    let shape =
      name.isEMNIST
      ? ImageShape(height: images.dimensions[2], width: images.dimensions[1])
      : ImageShape(height: images.dimensions[1], width: images.dimensions[2])
    let own = try fromZero(labels.bytes, labelPath)
    do {
      return try Dataset(
        name: "\(name.rawValue) \(part)", pixels: upright(images), labels: own, shape: shape,
        classes: name.classes)
    } catch {
      throw DataError(labelPath, error.problem)
    }
  }

  /// The images row by row.
  private func upright(_ images: IDXFile) -> [UInt8] {
    guard name.isEMNIST else { return images.bytes }
    let (count, height, width) = (
      images.dimensions[0], images.dimensions[1], images.dimensions[2]
    )
    var result = [UInt8](repeating: 0, count: images.bytes.count)
    for image in 0..<count {
      let start = image * height * width
      for i in 0..<height {
        for j in 0..<width {
          result[start + j * height + i] = images.bytes[start + i * width + j]
        }
      }
    }
    return result
  }

  /// Labels whose first class is 0.
  private func fromZero(_ labels: [UInt8], _ path: String) throws(DataError) -> [UInt8] {
    let first = name.firstLabel
    if let position = labels.firstIndex(where: { $0 < first }) {
      throw DataError(
        path,
        "label \(position) is \(labels[position]); classes of \(name.rawValue) are from \(first)")
    }
    return first == 0 ? labels : labels.map { $0 - first }
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
