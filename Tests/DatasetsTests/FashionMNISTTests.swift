import Datasets
import Foundation
import Testing

/// The real set, where it is installed.
@Suite(
  .enabled(
    if: DatasetName.fashionMNIST.defaultFolder.map(FileManager.default.fileExists) == true,
    "needs the Debian package dataset-fashion-mnist"))
struct FashionMNISTTests {
  @Test func `Fashion-MNIST is what its authors published`() throws {
    let pair = try DatasetName.fashionMNIST.load()
    for (part, count) in [(pair.training, 60_000), (pair.test, 10_000)] {
      #expect(part.count == count)
      #expect(part.shape == ImageShape(height: 28, width: 28))
      #expect((part.features, part.classes) == (784, 10))
      let counts = (0..<10).map { label in part.labels.count { Int($0) == label } }
      #expect(counts == Array(repeating: count / 10, count: 10))
    }
    #expect(pair.training.labels.prefix(5) == [9, 0, 0, 3, 0])
    #expect(pair.test.labels.prefix(5) == [9, 2, 1, 1, 6])
    // The published mean and standard deviation of the training pixels.
    let pixels = pair.training.pixels
    let sum = pixels.reduce(0) { $0 + Int($1) }
    let squares = pixels.reduce(0) { $0 + Int($1) * Int($1) }
    let mean = Double(sum) / Double(pixels.count)
    let deviation = (Double(squares) / Double(pixels.count) - mean * mean).squareRoot()
    #expect(abs(mean / 255 - 0.2860) < 5e-5)
    #expect(abs(deviation / 255 - 0.3530) < 5e-5)
  }
}
