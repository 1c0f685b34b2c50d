import CMPI
import Testing

@testable import MPI

extension WorldTests {
  @MainActor @Suite struct NonBlockingTests {
    @Test(arguments: counts)
    func `a started gather keeps rank order`(count: Int) throws {
      try forEachChunkSize { communicator in
        for root in 0..<world.size {
          let pending = try communicator.startGather(
            values(count, rank: world.rank, as: Float.self), to: root, phase: "test")
          let got = try pending.wait()
          let all = (0..<world.size).flatMap { values(count, rank: $0, as: Float.self) }
          #expect(got == (world.rank == root ? all : nil))
        }
      }
    }

    @Test(arguments: counts)
    func `a started broadcast gives every rank the root's values`(count: Int) throws {
      try forEachChunkSize { communicator in
        for root in 0..<world.size {
          let pending = try communicator.startBroadcast(
            values(count, rank: world.rank, as: Int32.self), from: root, phase: "test")
          #expect(try pending.wait() == values(count, rank: root))
        }
      }
    }

    @Test func `polling alone completes a request`() throws {
      try forEachChunkSize { communicator in
        var gather = try communicator.startGather(
          values(100_000, rank: world.rank, as: UInt8.self), to: 0, phase: "test")
        var broadcast = try communicator.startBroadcast(
          values(10_000, rank: world.rank, as: Double.self), from: 0, phase: "test")
        var polls = 0
        while try !gather.poll() { polls += 1 }
        while try !broadcast.poll() { polls += 1 }
        #expect(try gather.poll(), "complete stays complete")
        #expect(try broadcast.wait() == values(10_000, rank: 0))
        #expect(try gather.wait()?.count == (world.isRoot ? 100_000 * world.size : nil))
      }
    }

    @Test func `requests of one kind may overlap with blocking operations between them`() throws {
      let first = try world.startGather([world.rank], to: 0, phase: "test")
      let second = try world.startGather([-world.rank], to: 0, phase: "test")
      let blocking = try world.gather([10 * world.rank], to: 0, phase: "test")
      let ranks = Array(0..<world.size)
      #expect(try second.wait() == (world.isRoot ? ranks.map { -$0 } : nil))
      #expect(try first.wait() == (world.isRoot ? ranks : nil))
      #expect(blocking == (world.isRoot ? ranks.map { 10 * $0 } : nil))
    }

    @Test func `a complete request may be dropped`() throws {
      var gather = try world.startGather([world.rank], to: 0, phase: "test")
      while try !gather.poll() {}
    }

    @Test func `a rank's short contribution is an error where it arrives`() throws {
      guard world.size > 1 else { return }
      let communicator = try world.duplicate()
      let isShort = communicator.rank == communicator.size - 1
      let pending = try communicator.startGather(
        [Int32](repeating: 1, count: isShort ? 2 : 3), to: 0, phase: "test")
      // A request cannot be consumed inside the closure of `#expect(throws:)`.
      var message: String?
      do throws(MPIError) {
        _ = try pending.wait()
      } catch {
        message = error.message
      }
      if communicator.isRoot {
        #expect(message?.contains("sent 8 bytes where 12 were expected") == true)
      } else {
        #expect(message == nil)
      }
    }

    @Test func `a bad root is an error in MPI's words`() {
      for root in [-1, world.size] {
        let errors = [
          #expect(throws: MPIError.self) {
            _ = try world.startGather([1], to: root, phase: "test").wait()
          },
          #expect(throws: MPIError.self) {
            _ = try world.startBroadcast([1], from: root, phase: "test").wait()
          },
        ]
        for error in errors { #expect(error?.isInWords(of: MPI_ERR_ROOT) == true) }
      }
    }
  }
}
