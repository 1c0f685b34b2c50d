import CZlib
import Experiments
import Foundation
import Networks
import Tensors

/// A matrix of numbers from 0 to 1 as a picture: white for 0, dark for 1.
///
/// A matrix larger than the picture is cut into blocks that show their largest entry, so that single
/// ones are not lost.
struct MatrixPicture {
  let matrix: Matrix
  private let largestSide = 256

  /// A picture of a matrix.
  init(_ matrix: Matrix) { self.matrix = matrix }

  /// An HTML image with the picture inside.
  func image(alternative: String) -> String {
    "<img class=\"matrix\" alt=\"\(escaped(alternative))\" src=\"data:image/png;base64,"
      + "\(png.base64EncodedString())\">"
  }

  private var png: Data {
    let rows = min(matrix.rows, largestSide)
    let columns = min(matrix.columns, largestSide)
    var largest = [Float](repeating: 0, count: rows * columns)
    for row in 0..<matrix.rows {
      for column in 0..<matrix.columns {
        let pixel = row * rows / matrix.rows * columns + column * columns / matrix.columns
        largest[pixel] = max(largest[pixel], matrix[row, column])
      }
    }
    var lines: [UInt8] = []
    for row in 0..<rows {
      lines.append(0)  // this line is not filtered
      for value in largest[row * columns..<(row + 1) * columns] {
        // The root shows small entries that would vanish beside a one.
        let shade = min(max(value, 0), 1).squareRoot()
        for (light, dark) in [(255, 15), (255, 60), (255, 85)] as [(Float, Float)] {
          lines.append(UInt8(light + (dark - light) * shade))
        }
      }
    }
    var data = Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
    let size = [columns, rows].flatMap { bigEndian(UInt32($0)) }
    data.append(chunk("IHDR", size + [8, 2, 0, 0, 0]))  // 8 bits a channel, RGB
    data.append(chunk("IDAT", deflated(lines)))
    data.append(chunk("IEND", []))
    return data
  }

  private func chunk(_ type: String, _ body: [UInt8]) -> Data {
    let named = Array(type.utf8) + body
    let checksum = UInt32(crc32(0, named, UInt32(named.count)))
    return Data(bigEndian(UInt32(body.count)) + named + bigEndian(checksum))
  }

  private func deflated(_ bytes: [UInt8]) -> [UInt8] {
    var length = compressBound(UInt(bytes.count))
    var result = [UInt8](repeating: 0, count: Int(length))
    let status = compress2(&result, &length, bytes, UInt(bytes.count), 9)
    precondition(status == Z_OK, "zlib has memory for a small picture")
    return Array(result.prefix(Int(length)))
  }

  private func bigEndian(_ number: UInt32) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }
}
