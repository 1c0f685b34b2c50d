import Dispatch
import Foundation
import Testing

@testable import MPI

extension WorldTests {
  @MainActor @Suite struct CollectiveTests {
    @Test(arguments: counts)
    func `a broadcast gives every rank the root's values`(count: Int) throws {
      try check(count: count, as: Float.self)
      try check(count: count, as: Double.self)
      try check(count: count, as: Int.self)
      try check(count: count, as: UInt8.self)

      func check<S: TestScalar>(count: Int, as _: S.Type) throws {
        try forEachChunkSize { communicator in
          for root in 0..<world.size {
            // Too long, too short and just right on the ranks that receive.
            var got: [S] = values(world.rank == root ? count : world.rank, rank: world.rank)
            try communicator.broadcast(&got, from: root, phase: "test")
            #expect(got == values(count, rank: root))
          }
        }
      }
    }

    @Test(arguments: counts)
    func `a gather keeps rank order`(count: Int) throws {
      try check(count: count, as: Float.self)
      try check(count: count, as: Int16.self)
      try check(count: count, as: UInt.self)

      func check<S: TestScalar>(count: Int, as _: S.Type) throws {
        try forEachChunkSize { communicator in
          for root in 0..<world.size {
            let got: [S]? = try communicator.gather(
              values(count, rank: world.rank), to: root, phase: "test")
            let all = (0..<world.size).flatMap { values(count, rank: $0, as: S.self) }
            #expect(got == (world.rank == root ? all : nil))
          }
        }
      }
    }

    @Test func `a gather of unequal counts keeps every rank's own count`() throws {
      try forEachChunkSize { communicator in
        for root in 0..<world.size {
          let got: [[Double]]? = try communicator.gatherV(
            values(length(ofRank: world.rank), rank: world.rank), to: root, phase: "test")
          let all = (0..<world.size).map { values(length(ofRank: $0), rank: $0, as: Double.self) }
          #expect(got == (world.rank == root ? all : nil))
        }
      }
    }

    @Test(arguments: counts)
    func `an all-gather gives every rank all values in rank order`(count: Int) throws {
      try check(count: count, as: Float.self)
      try check(count: count, as: Int64.self)
      try check(count: count, as: Int8.self)

      func check<S: TestScalar>(count: Int, as _: S.Type) throws {
        try forEachChunkSize { communicator in
          let got: [S] = try communicator.allgather(
            values(count, rank: world.rank), phase: "test")
          #expect(got == (0..<world.size).flatMap { values(count, rank: $0, as: S.self) })
        }
      }
    }

    @Test func `an all-gather of unequal counts keeps every rank's own count`() throws {
      try forEachChunkSize { communicator in
        // Shifted by one, so that rank 0 and a world of one have an empty part as well.
        for shift in 0...1 {
          let got: [[UInt16]] = try communicator.allgatherV(
            values(length(ofRank: world.rank + shift), rank: world.rank), phase: "test")
          #expect(
            got == (0..<world.size).map { values(length(ofRank: $0 + shift), rank: $0) })
        }
      }
    }

    @Test(arguments: counts)
    func `a scatter deals out equal parts in rank order`(count: Int) throws {
      try check(count: count, as: Float.self)
      try check(count: count, as: UInt32.self)

      func check<S: TestScalar>(count: Int, as _: S.Type) throws {
        try forEachChunkSize { communicator in
          for root in 0..<world.size {
            let all: [S] = (0..<world.size).flatMap { values(count, rank: $0) }
            let got = try communicator.scatter(
              world.rank == root ? all : nil, from: root, phase: "test")
            #expect(got == values(count, rank: world.rank))
          }
        }
      }
    }

    @Test func `a barrier holds every rank until the last has entered`() throws {
      // The clock since the machine started, which all ranks of a node share.
      func now() -> UInt64 { DispatchTime.now().uptimeNanoseconds }
      for enter in [world.barrier, world.idleBarrier] {
        try world.barrier(phase: "test")
        if world.rank == world.size - 1 { usleep(30_000) }
        let entered = now()
        try enter("test")
        let left = now()
        let entries = try world.allgather([entered], phase: "test")
        let exits = try world.allgather([left], phase: "test")
        let (last, first) = try (#require(entries.max()), #require(exits.min()))
        #expect(last <= first)
      }
    }
  }
}
