import Networks
import Testing

@testable import Datasets

/// Seeded epochs of batches.
@Suite struct ImageBatchesTests {
  /// Eleven images of 2 × 3 pixels, image i with the bytes 10 i … 10 i + 5.
  static func smallSet() throws -> Dataset {
    try Dataset(
      name: "small", pixels: (0..<11).flatMap { i in (0..<6).map { UInt8(10 * i + $0) } },
      labels: (0..<11).map { UInt8($0 % 4) }, shape: ImageShape(height: 2, width: 3), classes: 4)
  }

  @Test(arguments: [1, 2, 3])
  func `every image comes once an epoch, the last batch being smaller`(epoch: Int) throws {
    let set = try Self.smallSet()
    var batches = try makeBatches()
    #expect((batches.batchesPerEpoch, batches.sampleCount, batches.features) == (3, 11, 6))
    batches.startEpoch(epoch)
    let epoch = read(batches)
    #expect(epoch.counts == [4, 4, 3])
    #expect(epoch.images.sorted() == Array(0..<11))
    #expect(epoch.labels == epoch.images.map { Int(set.labels[$0]) })
  }

  @Test func `a batch as large as the set, or larger, is one batch`() throws {
    for size in [11, 12, 100] {
      var batches = try makeBatches(batchSize: size)
      batches.startEpoch(1)
      #expect(read(batches).counts == [11])
    }
  }

  @Test func `only the images asked for come`() throws {
    var batches = try makeBatches(indices: [9, 2, 5])
    batches.startEpoch(1)
    #expect(batches.sampleCount == 3)
    #expect(read(batches).images.sorted() == [2, 5, 9])
  }

  @Test func `the order and the flips depend on the key alone`() throws {
    func order(
      epoch: Int = 1, seed: UInt64 = 1, member: Int = 0, purpose: String = "train",
      after others: [Int] = []
    ) throws -> Epoch {
      var batches = try makeBatches(seed: seed, purpose: purpose, member: member)
      for other in others { batches.startEpoch(other) }
      batches.startEpoch(epoch)
      return read(batches)
    }
    let first = try order()
    #expect(try order() == first)
    #expect(try order(after: [5, 2]) == first)
    let others = [
      try order(epoch: 2), try order(seed: 2), try order(member: 1), try order(purpose: "student"),
    ]
    for other in others {
      #expect(other.images != first.images)
      #expect(other.flips != first.flips)
    }
    #expect(Set(others.map(\.images)).count == others.count)
  }

  @Test func `batches may be asked for in any order`() throws {
    var batches = try makeBatches()
    batches.startEpoch(3)
    let inOrder = (0..<3).map { batch(batches, $0) }
    let reversed = (0..<3).reversed().map { batch(batches, $0) }.reversed()
    for (a, b) in zip(inOrder, reversed) {
      #expect(a.count == b.count)
      #expect(a.inputs.prefix(a.count * 6) == b.inputs.prefix(a.count * 6))
      #expect(a.labels.prefix(a.count) == b.labels.prefix(a.count))
    }
  }

  @Test func `rows of a batch are the batch's, whoever asks for which`() throws {
    // A share of a batch for each of several workers, as a team takes it.
    let targets = SoftTargets(classes: 4, values: (0..<88).map(Float.init))
    var batches = try makeBatches(targets: targets)
    batches.startEpoch(2)
    for index in 0..<3 {
      let whole = batch(batches, index)
      for rows in [0..<1, 1..<3, 2..<4, 3..<4, 0..<4] {
        var some = Batch(capacity: rows.count, features: 6)
        batches.fill(&some, with: index, rows: rows)
        let there = rows.clamped(to: 0..<whole.count)
        #expect(some.count == there.count)
        let inputs = whole.inputs[there.lowerBound * 6..<there.upperBound * 6]
        #expect(some.inputs.prefix(some.count * 6) == inputs)
        #expect(some.labels.prefix(some.count) == whole.labels[there])
        let expected = whole.targets[there.lowerBound * 4..<there.upperBound * 4]
        #expect(some.targets.prefix(some.count * 4) == expected)
      }
    }
    #expect((0..<3).map(batches.count(ofBatch:)) == [4, 4, 3])
  }

  @Test(arguments: [2, 3, 7])
  func `any number of threads assembles the same batch`(threads: Int) throws {
    var batches = try makeBatches()
    batches.startEpoch(1)
    let one = (0..<3).map { batch(batches, $0).inputs }
    batches.threads = threads
    #expect((0..<3).map { batch(batches, $0).inputs } == one)
  }

  @Test func `about half of the images are mirrored, and those really are`() throws {
    let set = try Self.smallSet()
    var batches = try makeBatches()
    var flipped = 0
    for epoch in 1...100 {
      batches.startEpoch(epoch)
      // `read` finds each row to be an image or its mirror image, byte by byte.
      let epoch = read(batches)
      #expect(epoch.images.count == set.count)
      flipped += epoch.flips.count { $0 }
    }
    #expect(abs(flipped - 550) < 5 * 17)
    var plain = try makeBatches(isFlipping: false)
    plain.startEpoch(1)
    #expect(read(plain).flips == Array(repeating: false, count: 11))
  }

  @Test func `targets are those of the image, mirrored when it is`() throws {
    // Image i as it is has the targets 2 i, mirrored 2 i + 1.
    let targets = SoftTargets(
      classes: 4, values: (0..<22).flatMap { [Float($0), 0, 0, -Float($0)] })
    var batches = try makeBatches(targets: targets)
    batches.startEpoch(1)
    let epoch = read(batches)
    #expect(epoch.flips.contains(true) && epoch.flips.contains(false))
    let expected = zip(epoch.images, epoch.flips).map { Float(2 * $0 + ($1 ? 1 : 0)) }
    var found: [Float] = []
    var buffer = Batch(capacity: 4, features: 6)
    for index in 0..<3 {
      batches.fill(&buffer, with: index)
      for row in 0..<buffer.count {
        found.append(buffer.targets[4 * row])
        #expect(buffer.targets[4 * row + 3] == -buffer.targets[4 * row])
      }
    }
    #expect(found == expected)
  }

  @Test func `a batch before the first epoch is a precondition failure`() async {
    await #expect(processExitsWith: .failure) {
      let set = try ImageBatchesTests.smallSet()
      var buffer = Batch(capacity: 4, features: 6)
      ImageBatches(
        Images(set, normalization: .symmetric), batchSize: 4, isFlipping: false, seed: 1,
        purpose: "train"
      ).fill(&buffer, with: 0)
    }
  }

  private struct Epoch: Equatable {
    var counts: [Int] = []
    var images: [Int] = []
    var flips: [Bool] = []
    var labels: [Int] = []
  }

  private func makeBatches(
    indices: [Int]? = nil, batchSize: Int = 4, isFlipping: Bool = true,
    targets: SoftTargets? = nil, seed: UInt64 = 1, purpose: String = "train", member: Int = 0
  ) throws -> ImageBatches {
    ImageBatches(
      Images(try Self.smallSet(), indices: indices, normalization: .symmetric),
      batchSize: batchSize, isFlipping: isFlipping, targets: targets, seed: seed, purpose: purpose,
      member: member)
  }

  private func batch(_ batches: ImageBatches, _ index: Int) -> Batch {
    var batch = Batch(capacity: batches.batchSize, features: batches.features)
    batches.fill(&batch, with: index)
    return batch
  }

  /// All batches of the epoch that has been started, the pixels told back from the inputs.
  private func read(_ batches: ImageBatches) -> Epoch {
    var epoch = Epoch()
    for index in 0..<batches.batchesPerEpoch {
      let batch = batch(batches, index)
      epoch.counts.append(batch.count)
      epoch.labels += batch.labels.prefix(batch.count)
      for row in 0..<batch.count {
        let bytes = batch.inputs[row * 6..<row * 6 + 6].map { Int((($0 + 1) * 127.5).rounded()) }
        let image = (bytes.min() ?? 0) / 10
        let isFlipped = bytes[0] > bytes[2]
        let offsets = isFlipped ? [2, 1, 0, 5, 4, 3] : [0, 1, 2, 3, 4, 5]
        #expect(bytes == offsets.map { 10 * image + $0 })
        epoch.images.append(image)
        epoch.flips.append(isFlipped)
      }
    }
    return epoch
  }
}
