import Testing

@testable import Datasets

/// Some images of a set, as networks read them.
@Suite struct ImagesTests {
  /// 1/255: bytes as they are.
  static let unit = Normalization("0,0.003921569")

  @Test func `a range of images is written in order, as it is or mirrored`() throws {
    let images = try makeImages()
    #expect((images.count, images.features) == (11, 6))
    var inputs = [Float](repeating: 0, count: 18)
    images.write(4..<7, into: &inputs)
    #expect(bytes(inputs) == (4..<7).flatMap { i in (0..<6).map { 10 * i + $0 } })
    images.write(4..<7, isFlipped: { _ in true }, into: &inputs)
    #expect(bytes(inputs.prefix(6)) == [42, 41, 40, 45, 44, 43])
    // Whether an image is mirrored is asked by its place among the images.
    images.write(4..<7, isFlipped: { $0 == 5 }, into: &inputs)
    #expect(
      bytes(inputs) == [40, 41, 42, 43, 44, 45, 52, 51, 50, 55, 54, 53, 60, 61, 62, 63, 64, 65])
  }

  @Test func `only the images asked for are read, in the order asked for`() throws {
    let set = try ImageBatchesTests.smallSet()
    let images = try makeImages([9, 2, 2, 5])
    #expect(images.count == 4)
    #expect(images.labels == [9, 2, 2, 5].map { Int(set.labels[$0]) })
    var inputs = [Float](repeating: .nan, count: 24)
    images.write(1..<4, into: &inputs)
    #expect(bytes(inputs.prefix(18)) == [2, 2, 5].flatMap { i in (0..<6).map { 10 * i + $0 } })
    #expect(inputs.suffix(6).allSatisfy { $0.isNaN })
    #expect(images.prefix(2).indices == [9, 2])
    #expect(images.prefix(9).indices == images.indices)
    #expect(images.prefix(2).normalization == images.normalization)
    #expect(try makeImages().labels == set.labels.map(Int.init))
  }

  @Test(arguments: [2, 3, 20])
  func `any number of threads writes the same`(threads: Int) throws {
    let images = try makeImages()
    var (one, several) = ([Float](repeating: 0, count: 66), [Float](repeating: 0, count: 66))
    images.write(0..<11, isFlipped: { $0 % 2 == 0 }, into: &one)
    images.write(0..<11, isFlipped: { $0 % 2 == 0 }, threads: threads, into: &several)
    #expect(one == several)
  }

  @Test func `no images are nothing to write`() throws {
    let images = try makeImages([])
    var inputs: [Float] = [7]
    images.write(0..<0, into: &inputs)
    #expect(images.count == 0)
    #expect(inputs == [7])
  }

  private func makeImages(_ indices: [Int]? = nil) throws -> Images {
    Images(
      try ImageBatchesTests.smallSet(), indices: indices, normalization: try #require(Self.unit))
  }

  private func bytes(_ inputs: some Collection<Float>) -> [Int] {
    inputs.map { Int($0.rounded()) }
  }
}
