import CMPI
import Testing

@testable import MPI

extension WorldTests {
  @MainActor @Suite struct AgreementTests {
    @Test func `a bad root is an error on all ranks in MPI's words`() {
      for root in [-1, world.size, Int.max] {
        let error = #expect(throws: MPIError.self) {
          try world.gather([Float(1)], to: root, phase: "collect")
        }
        #expect(error?.isInWords(of: MPI_ERR_ROOT) == true)
        #expect(error?.call == "gather")
        #expect(error?.phase == "collect")
        #expect(error?.rank == world.rank)
      }
    }

    @Test func `unequal counts are an error on all ranks`() {
      guard world.size > 1 else { return }
      let values = [Float](repeating: 1, count: world.rank == 0 ? 3 : 5)
      let errors = [
        #expect(throws: MPIError.self) { try world.gather(values, to: 0, phase: "test") },
        #expect(throws: MPIError.self) { try world.allgather(values, phase: "test") },
        #expect(throws: MPIError.self) { try world.reduce(values, .sum, to: 0, phase: "test") },
        #expect(throws: MPIError.self) { try world.allreduce(values, .sum, phase: "test") },
        #expect(throws: MPIError.self) { try world.orderedSum(values, phase: "test") },
      ]
      for error in errors {
        #expect(error?.message.contains("the ranks disagree on the count: from 3 to 5") == true)
      }
    }

    @Test func `different roots are an error on all ranks`() {
      guard world.size > 1 else { return }
      var values = [1]
      let error = #expect(throws: MPIError.self) {
        try world.broadcast(&values, from: min(world.rank, 1), phase: "test")
      }
      #expect(error?.message.contains("the ranks disagree on the root") == true)
    }

    @Test func `different element types are an error on all ranks`() {
      guard world.size > 1 else { return }
      let error = #expect(throws: MPIError.self) {
        if world.rank == 0 {
          _ = try world.allgather([Float(1)], phase: "test")
        } else {
          _ = try world.allgather([Int32(1)], phase: "test")
        }
      }
      #expect(error?.message.contains("the ranks disagree on the element type") == true)
    }

    @Test func `Int and Int64 are one element type`() throws {
      if world.rank == 0 {
        #expect(try world.allgather([7], phase: "test").count == world.size)
      } else {
        #expect(try world.allgather([Int64(7)], phase: "test").first == 7)
      }
    }

    @Test func `different chunk sizes are an error on all ranks`() throws {
      guard world.size > 1 else { return }
      let communicator = try world.duplicate()
      communicator.chunkBytes = 100 + communicator.rank
      let error = #expect(throws: MPIError.self) {
        try communicator.gather([1], to: 0, phase: "test")
      }
      #expect(error?.message.contains("the ranks disagree on the chunkBytes") == true)
    }

    @Test func `ranks in different operations learn of it instead of hanging`() {
      guard world.size > 1 else { return }
      let error = #expect(throws: MPIError.self) {
        if world.rank == 0 {
          try world.barrier(phase: "test")
        } else {
          _ = try world.gather([Float(1)], to: 0, phase: "test")
        }
      }
      #expect(error?.message.contains("different operations") == true)
      #expect(throws: MPIError.self) { try world.barrier(phase: "phase \(world.rank)") }
    }

    @Test func `a scatter that does not divide or has no values is an error on all ranks`() {
      let error = #expect(throws: MPIError.self) {
        try world.scatter(nil as [Float]?, from: 0, phase: "test")
      }
      #expect(error?.message.contains("root 0 has no values") == true)
      guard world.size > 1 else { return }
      let values = [Float](repeating: 1, count: world.size + 1)
      let indivisible = #expect(throws: MPIError.self) {
        try world.scatter(values, from: 0, phase: "test")
      }
      #expect(
        indivisible?.message.contains(
          "\(world.size + 1) values, which do not divide among \(world.size) ranks") == true)
    }
  }
}
