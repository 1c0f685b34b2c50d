import CZlib
import Foundation

/// The four files of a set of three training images and two test images, of 2 × 2 pixels.
struct SmallFolder {
  static let names = [
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
  ]

  /// The bytes of each file; a file without any is not written.
  var files: [String: [UInt8]] = [
    names[0]: idx([3, 2, 2], Array(1...12)), names[1]: idx([3], [0, 9, 4]),
    names[2]: idx([2, 2, 2], Array(21...28)), names[3]: idx([2], [7, 7]),
  ]

  func write(to folder: String, compressed: Bool = false) throws {
    for (name, bytes) in files {
      guard compressed else {
        try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        continue
      }
      writeGzip(bytes, to: "\(folder)/\(name).gz")
    }
  }
}

/// An IDX file: two zeros, a type, the number of dimensions, their sizes, the elements.
func idx(_ dimensions: [UInt32], _ bytes: [UInt8], type: UInt8 = 8) -> [UInt8] {
  [0, 0, type, UInt8(dimensions.count)]
    + dimensions.flatMap { size in (0..<4).map { UInt8(truncatingIfNeeded: size >> (24 - 8 * $0)) }
    }
    + bytes
}

/// Compresses bytes into a file.
func writeGzip(_ bytes: [UInt8], to path: String) {
  let file = gzopen(path, "wb")
  gzwrite(file, bytes, UInt32(bytes.count))
  gzclose(file)
}
