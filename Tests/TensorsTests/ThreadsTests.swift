import Tensors
import Testing

/// Work that threads share.
@Suite struct ThreadsTests {
  @Test(arguments: [1, 2, 3, 8])
  func `results come in the order of their numbers, whatever the threads`(threads: Int) {
    for count in [0, 1, 5, 100] {
      #expect(
        concurrentMap(count, threads: threads) { $0 * $0 } == (0..<count).map { $0 * $0 })
    }
  }

  @Test(arguments: [0, 1, 15, 16, 17, 1000], 1...5)
  func `parts tile the numbers, with borders at multiples of the kernels' width`(
    count: Int, parts: Int
  ) {
    let ranges = (0..<parts).map { part($0, of: parts, in: count) }
    #expect(ranges.flatMap { Array($0) } == Array(0..<count))
    #expect(ranges.dropLast().allSatisfy { $0.upperBound % 16 == 0 })
  }
}
