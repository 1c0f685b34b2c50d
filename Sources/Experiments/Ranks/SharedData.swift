import Crypto
import Datasets
import Foundation
import MPI

/// What a data set is, in a line: how many images, and the SHA-256 of them and their labels.
struct DataFingerprint {
  let text: String

  init(_ data: DatasetPair) {
    var hash = SHA256()
    for part in [data.training, data.test] {
      // Of one channel nothing is said of it, as before there were several.
      let sides = part.shape.numbers.dropFirst(part.shape.channels == 1 ? 1 : 0)
        .map(String.init).joined(separator: " ")
      hash.update(data: Data("\(part.count) \(sides) \(part.classes) ".utf8))
      part.pixels.withUnsafeBytes { hash.update(bufferPointer: $0) }
      part.labels.withUnsafeBytes { hash.update(bufferPointer: $0) }
    }
    text =
      "\(data.training.count) and \(data.test.count) images of \(data.training.shape),"
      + " SHA-256 \(hexadecimal(hash.finalize()))"
  }
}

/// Bytes as hexadecimal digits.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}

extension Communicator {
  /// Sends rank 0's data set to every rank.
  func broadcast(_ pair: DatasetPair?, phase: String) throws -> DatasetPair {
    guard size > 1 else {
      guard let pair else { preconditionFailure("rank 0 has read the data") }
      return pair
    }
    return DatasetPair(
      training: try broadcast(pair?.training, phase: phase),
      test: try broadcast(pair?.test, phase: phase))
  }

  private func broadcast(_ dataset: Dataset?, phase: String) throws -> Dataset {
    var shape = dataset.map { $0.shape.numbers + [$0.classes] } ?? []
    var name = [UInt8]((dataset?.name ?? "").utf8)
    var pixels = dataset?.pixels ?? []
    var labels = dataset?.labels ?? []
    try broadcast(&shape, from: 0, phase: phase)
    try broadcast(&name, from: 0, phase: phase)
    try broadcast(&pixels, from: 0, phase: phase)
    try broadcast(&labels, from: 0, phase: phase)
    return try together {
      try dataset
        ?? Dataset(
          name: String(decoding: name, as: UTF8.self), pixels: pixels, labels: labels,
          shape: ImageShape(numbers: shape), classes: shape[3])
    }
  }
}
