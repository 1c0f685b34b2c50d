import Testing

@testable import Datasets

/// Images held out of training.
@Suite struct ValidationSplitTests {
  @Test(arguments: [0, 1, 4, 10])
  func `the parts are disjoint, complete and in order`(count: Int) throws {
    let set = try ImageBatchesTests.smallSet()
    let split = try ValidationSplit(set, holdingOut: count, seed: 3)
    #expect(split.validation.count == count)
    #expect((split.training + split.validation).sorted() == Array(0..<11))
    #expect(split.training == split.training.sorted())
    #expect(split.validation == split.validation.sorted())
  }

  @Test func `the split is the seed's`() throws {
    let set = try ImageBatchesTests.smallSet()
    let split = try ValidationSplit(set, holdingOut: 5, seed: 3)
    #expect(try ValidationSplit(set, holdingOut: 5, seed: 3) == split)
    #expect(try ValidationSplit(set, holdingOut: 5, seed: 4) != split)
  }

  @Test(arguments: [11, 12])
  func `a split that leaves nothing to learn from is an error`(count: Int) throws {
    let set = try ImageBatchesTests.smallSet()
    let error = #expect(throws: DataError.self) {
      try ValidationSplit(set, holdingOut: count, seed: 3)
    }
    let text = error?.description ?? ""
    #expect(text == "small: has 11 images; --validation \(count) would leave none to learn from")
  }

  @Test func `a set whose counts differ or whose labels are beyond its classes is an error`() {
    let counts = #expect(throws: DataError.self) {
      try Dataset(
        name: "d", pixels: [1, 2, 3], labels: [0], shape: ImageShape(height: 2, width: 2),
        classes: 2)
    }
    #expect(counts?.problem == "3 bytes of images of 2 × 2 for 1 labels")
    let labels = #expect(throws: DataError.self) {
      try Dataset(
        name: "d", pixels: [1, 2], labels: [0, 2], shape: ImageShape(height: 1, width: 1),
        classes: 2)
    }
    #expect(labels?.problem == "label 1 is 2; there are 2 classes, from 0")
  }
}
