import CMPI
import Testing

@testable import MPI

extension WorldTests {
  @MainActor @Suite struct PointToPointTests {
    @Test(arguments: counts)
    func `a message arrives whole, whatever its length`(count: Int) throws {
      try check(as: Float.self)
      try check(as: Int64.self)
      try check(as: UInt16.self)

      func check<S: TestScalar>(as type: S.Type) throws {
        try forEachChunkSize { communicator in
          // Around the ring, rank 0 first, so that nobody sends to a rank that sends.
          guard communicator.size > 1 else { return }
          let next = (communicator.rank + 1) % communicator.size
          let previous = (communicator.rank + communicator.size - 1) % communicator.size
          if communicator.isRoot {
            try communicator.send(
              values(count, rank: communicator.rank, as: type), to: next, phase: "test")
          }
          let got = try communicator.receive(as: type, from: previous, phase: "test")
          #expect(got == values(count, rank: previous))
          if !communicator.isRoot {
            try communicator.send(
              values(count, rank: communicator.rank, as: type), to: next, phase: "test")
          }
        }
      }
    }

    @Test func `tags tell messages apart and order is kept within one`() throws {
      guard world.size > 1 else { return }
      if world.rank == 0 {
        try world.send([Int(1)], to: 1, tag: 5, phase: "test")
        try world.send([Int(2)], to: 1, tag: 4, phase: "test")
        try world.send([Int(3)], to: 1, tag: 5, phase: "test")
      } else if world.rank == 1 {
        #expect(try world.receive(as: Int.self, from: 0, tag: 4, phase: "test") == [2])
        #expect(try world.receive(as: Int.self, from: 0, tag: 5, phase: "test") == [1])
        #expect(try world.receive(as: Int.self, from: 0, tag: 5, phase: "test") == [3])
      }
    }

    @Test func `the receiver needs no chunk size of the sender's`() throws {
      guard world.size > 1 else { return }
      let communicator = try world.duplicate()
      communicator.chunkBytes = communicator.isRoot ? 5 : 11
      if communicator.rank == 0 {
        try communicator.send(values(100, rank: 0, as: Double.self), to: 1, phase: "test")
      } else if communicator.rank == 1 {
        let got = try communicator.receive(as: Double.self, from: 0, phase: "test")
        #expect(got == values(100, rank: 0))
      }
    }

    @Test func `another element type than the sender's is an error`() throws {
      guard world.size > 1 else { return }
      // Its own communicator: the values themselves stay undelivered.
      let communicator = try world.duplicate()
      if communicator.rank == 0 {
        try communicator.send([Float](), to: 1, phase: "test")
      } else if communicator.rank == 1 {
        let error = #expect(throws: MPIError.self) {
          try communicator.receive(as: Int32.self, from: 0, phase: "test")
        }
        #expect(error?.isInWords(of: MPI_ERR_TYPE) == true)
      }
    }

    @Test func `a bad peer, oneself and a bad tag are errors in MPI's words`() {
      for peer in [-1, -2, world.size, Int.max, world.rank] {
        let error = #expect(throws: MPIError.self) {
          try world.send([Float(1)], to: peer, phase: "test")
        }
        #expect(error?.isInWords(of: MPI_ERR_RANK) == true)
      }
      guard world.size > 1 else { return }
      for tag in [-1, 32767, Int.max] {
        let error = #expect(throws: MPIError.self) {
          try world.receive(
            as: Int.self, from: (world.rank + 1) % world.size, tag: tag, phase: "test")
        }
        #expect(error?.isInWords(of: MPI_ERR_TAG) == true)
      }
    }
  }
}
