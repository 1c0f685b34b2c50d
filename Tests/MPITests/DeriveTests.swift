import Testing

@testable import MPI

extension WorldTests {
  @MainActor @Suite struct DeriveTests {
    @Test func `a duplicate has the same ranks, ledger and chunk size, and messages of its own`()
      throws
    {
      let parent = try world.duplicate()
      parent.chunkBytes = 12345
      let copy = try parent.duplicate()
      #expect(copy.rank == world.rank)
      #expect(copy.size == world.size)
      #expect(copy.ledger === world.ledger)
      #expect(copy.chunkBytes == 12345)
      let pending = try parent.startGather([world.rank], to: 0, phase: "test")
      let other = try copy.gather([-world.rank], to: 0, phase: "test")
      #expect(other == (world.isRoot ? (0..<world.size).map { -$0 } : nil))
      #expect(try pending.wait() == (world.isRoot ? Array(0..<world.size) : nil))
    }

    @Test func `a split groups by colour and orders by key`() throws {
      let part = try #require(try world.split(color: world.rank % 2, key: -world.rank))
      let members = (0..<world.size).filter { $0 % 2 == world.rank % 2 }.reversed()
      #expect(part.size == members.count)
      #expect(try part.allgather([world.rank], phase: "test") == Array(members))
      #expect(part.worldRank == world.rank)
    }

    @Test func `a rank without a colour joins nothing`() throws {
      let part = try world.split(color: world.rank == 0 ? nil : 3, key: 0)
      #expect(part?.size == (world.rank == 0 ? nil : world.size - 1))
    }

    @Test func `a negative colour on one rank is an error on all`() {
      let error = #expect(throws: MPIError.self) {
        try world.split(color: world.rank == 0 ? -3 : 1, key: 0)
      }
      #expect(error?.message.contains("colours must be") == true)
    }

    @Test func `ranks on one node share it`() throws {
      let node = try world.splitByNode()
      let names = try node.allgatherV([UInt8](MPI.processorName.utf8), phase: "test")
      #expect(Set(names).count == 1)
      #expect(node.chunkBytes == world.chunkBytes)
    }
  }
}
