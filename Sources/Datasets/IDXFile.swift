import CZlib
import Foundation

/// An array of bytes in the IDX format of MNIST, plain or compressed by gzip.
///
/// Two zero bytes, the element type (8: unsigned byte), the number of dimensions, each dimension as a
/// big-endian 32-bit integer, then the elements. Source: http://yann.lecun.com/exdb/mnist/
struct IDXFile {
  let dimensions: [Int]
  let bytes: [UInt8]

  /// Reads a file and checks that it is as long as its header says.
  init(contentsOf path: String) throws(DataError) {
    try self.init(try Self.decompress(path), path: path)
  }

  init(_ data: [UInt8], path: String) throws(DataError) {
    guard data.count >= 4 else {
      throw DataError(path, "is \(data.count) bytes long; an IDX file starts with 4 bytes of type")
    }
    guard data[0] == 0, data[1] == 0 else {
      let start = data.prefix(4).map { String($0, radix: 16) }.joined(separator: " ")
      throw DataError(path, "is not an IDX file: it starts with bytes \(start), expected 0 0 8 …")
    }
    guard data[2] == 8 else {
      throw DataError(path, "holds elements of IDX type \(data[2]), expected 8 (unsigned bytes)")
    }
    let rank = Int(data[3])
    guard (1...4).contains(rank), data.count >= 4 + 4 * rank else {
      throw DataError(path, "claims \(rank) dimensions; expected 1 for labels or 3 for images")
    }
    dimensions = (0..<rank).map { d in
      data[4 + 4 * d..<8 + 4 * d].reduce(0) { $0 << 8 | Int($1) }
    }
    var count = 1
    for dimension in dimensions {
      let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
      guard !overflow else { throw DataError(path, "claims the dimensions \(dimensions)") }
      count = product
    }
    let found = data.count - 4 - 4 * rank
    guard found == count else {
      throw DataError(
        path,
        "holds \(found) bytes after its header, but dimensions \(dimensions) need \(count);"
          + (found < count
            ? " it is truncated, fetch it again" : " it has a tail that no header describes"))
    }
    bytes = Array(data[(4 + 4 * rank)...])
  }

  /// The file's bytes, inflated if they are gzip's; zlib reads plain files as they are.
  private static func decompress(_ path: String) throws(DataError) -> [UInt8] {
    guard let file = gzopen(path, "rb") else {
      throw DataError(path, "could not be opened: \(String(cString: strerror(errno)))")
    }
    defer { gzclose(file) }
    var data: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = gzread(file, &buffer, UInt32(buffer.count))
      if count > 0 { data.append(contentsOf: buffer[..<Int(count)]) }
      if count < buffer.count {
        var code: Int32 = 0
        let message = gzerror(file, &code).map { String(cString: $0) } ?? ""
        // At the end of a truncated file gzread returns what there is, and the error is set.
        guard code == Z_OK || code == Z_STREAM_END else {
          throw DataError(path, "could not be decompressed (\(message)); fetch it again")
        }
        if count <= 0 { return data }
      }
    }
  }
}
