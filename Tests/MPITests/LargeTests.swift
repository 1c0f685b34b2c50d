import Foundation
import Testing

@testable import MPI

extension WorldTests {
  /// Transfers beyond 2³¹ bytes, where counts of 32 bits end.
  ///
  /// They need about 10 GB, so they run when asked for: `MPI_TEST_LARGE=1`.
  @MainActor @Suite(.enabled(if: ProcessInfo.processInfo.environment["MPI_TEST_LARGE"] != nil))
  struct LargeTests {
    private let count = 1 << 31 + 12_345

    /// Whether the bytes are what `pattern` made, at both ends, around 2³¹ and at every chunk's edge.
    private func isIntact(_ bytes: ArraySlice<UInt8>, rank: Int) -> Bool {
      let edges = stride(from: 0, to: bytes.count, by: 1 << 28).flatMap { [$0, $0 - 1, $0 + 1] }
      return (edges + [bytes.count - 1, bytes.count / 2, 12_345_678]).allSatisfy { index in
        !bytes.indices.contains(bytes.startIndex + index)
          || bytes[bytes.startIndex + index] == UInt8(truncatingIfNeeded: index / 4096 + rank)
      }
    }

    private func pattern(count: Int, rank: Int) -> [UInt8] {
      [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        for start in stride(from: 0, to: count, by: 4096) {
          buffer[start..<min(start + 4096, count)]
            .update(repeating: UInt8(truncatingIfNeeded: start / 4096 + rank))
        }
        initialized = count
      }
    }

    @Test func `a broadcast of more than two gigabytes arrives`() throws {
      var values = world.isRoot ? pattern(count: count, rank: 7) : []
      try world.broadcast(&values, from: 0, phase: "large")
      #expect(values.count == count)
      #expect(isIntact(values[...], rank: 7))
    }

    @Test func `a gather of more than two gigabytes in total arrives`() throws {
      let share = count / 2 + 1
      let mine = pattern(count: share, rank: world.rank)
      if let all = try world.gather(mine, to: 0, phase: "large") {
        #expect(all.count == share * world.size)
        for rank in 0..<world.size {
          #expect(isIntact(all[rank * share..<(rank + 1) * share], rank: rank))
        }
      }
      let all = try world.startGather(mine, to: 0, phase: "large").wait()
      #expect(all?.count == (world.isRoot ? share * world.size : nil))
    }
  }
}
