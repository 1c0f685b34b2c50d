import CMPI
import Foundation
import Testing

@testable import MPI

private struct Broken: ExitStatusProviding, CustomStringConvertible {
  var description: String
  var exitStatus: Int32
}

private enum Plain: Error { case reason }

extension WorldTests {
  @MainActor @Suite struct TogetherTests {
    private let last = world.size - 1

    @Test func `work that succeeds everywhere returns each rank's result`() throws {
      #expect(try world.together { world.rank * 2 } == world.rank * 2)
    }

    @Test func `one rank's failure is thrown on all, with its status and message`() {
      let failure = #expect(throws: JointFailure.self) {
        try world.together {
          if world.rank == last { throw Broken(description: "no disk", exitStatus: 3) }
        }
      }
      #expect(failure?.exitStatus == 3)
      #expect(failure?.messages == [last: "no disk"])
      #expect(failure?.isWorldwide == true)
      let expected = world.size == 1 ? "no disk" : "rank \(last) on \(MPI.processorName): no disk"
      #expect(failure?.description == expected)
    }

    @Test func `the highest status wins and errors without one count as 70`() {
      let statuses = #expect(throws: JointFailure.self) {
        try world.together {
          throw Broken(description: "x", exitStatus: Int32(2 + world.rank))
        }
      }
      #expect(statuses?.exitStatus == Int32(2 + last))
      #expect(statuses?.messages.count == world.size)
      #expect(statuses?.description == "x")

      let plain = #expect(throws: JointFailure.self) {
        try world.together { throw Plain.reason }
      }
      #expect(plain?.exitStatus == 70)
      #expect(plain?.messages[0] == "reason")

      // Even a status that means success, or a negative one, is a failure.
      for status: Int32 in [0, -5] {
        let odd = #expect(throws: JointFailure.self) {
          try world.together {
            if world.rank == 0 { throw Broken(description: "odd", exitStatus: status) }
          }
        }
        #expect(odd?.exitStatus == status)
      }
    }

    @Test func `an inner failure passes through an outer call unchanged`() {
      let failure = #expect(throws: JointFailure.self) {
        try world.together {
          try world.together {
            if world.rank == 0 { throw Broken(description: "inner", exitStatus: 4) }
          }
        }
      }
      #expect(failure?.exitStatus == 4)
      #expect(failure?.messages == [0: "inner"])
    }

    @Test func `a failure of some ranks reaches the others through the outer call`() throws {
      let part = try #require(try world.split(color: world.rank == 0 ? 0 : 1, key: 0))
      let failure = #expect(throws: JointFailure.self) {
        try world.together {
          try part.together {
            if world.rank == 0 { throw Broken(description: "partial", exitStatus: 4) }
          }
        }
      }
      #expect(failure?.exitStatus == 4)
      #expect(failure?.messages == [0: "partial"])
      #expect(failure?.isWorldwide == true)
    }

    @Test func `an error in front of the others' collective is told, not lost`() throws {
      guard world.size > 1 else { return }
      guard world.isRoot else {
        // The barrier meets rank 0's agreement, and this rank's agreement meets its next one.
        #expect(throws: JointFailure.self) {
          try world.together { try world.barrier(phase: "test") }
        }
        return
      }
      let error = #expect(throws: MPIError.self) {
        try world.together { throw Plain.reason }
      }
      #expect(error?.message.hasPrefix("the ranks are in different operations") == true)
      #expect(error?.message.hasSuffix("before that, on this rank: reason") == true)
      #expect(throws: JointFailure.self) { try world.together {} }
    }

    @Test func `an error in MPI's words is a failure like any other`() {
      let failure = #expect(throws: JointFailure.self) {
        try world.together {
          _ = try world.gather([1], to: world.size, phase: "collect")
        }
      }
      #expect(
        failure?.description.contains("gather in phase \"collect\": \(MPI.text(of: MPI_ERR_ROOT))")
          == true)
    }
  }
}

@Suite struct FailureReportTests {
  private func failure(_ rank: Int, _ message: String?, host: String = "a") -> Failure {
    Failure(rank: rank, host: host, message: message)
  }

  @Test func `a message of all ranks stands alone`() {
    #expect(Failure.report([failure(0, "x")]) == ["x"])
    #expect(Failure.report([failure(0, "x"), failure(1, "x", host: "b")]) == ["x"])
  }

  @Test func `a message of some names them`() {
    #expect(Failure.report([failure(0, nil), failure(1, "x")]) == ["rank 1 on a: x"])
    #expect(
      Failure.report([failure(0, nil), failure(1, "x"), failure(2, "x"), failure(3, "x")])
        == ["ranks 1-3 on a: x"])
    #expect(
      Failure.report([
        failure(0, "y"), failure(1, "x"), failure(2, "x"), failure(4, "x"),
        failure(5, "x", host: "b"),
      ]) == ["rank 0 on a: y", "ranks 1-2, 4 on a, 5 on b: x"])
  }

  @Test func `success is silent`() {
    #expect(Failure.report([failure(0, nil), failure(1, nil)]).isEmpty)
  }

  @Test func `an error's text is its description, then Foundation's, then Swift's`() {
    struct Described: LocalizedError, CustomStringConvertible {
      var description: String { "described" }
      var errorDescription: String? { "localized" }
    }
    struct Localized: LocalizedError {
      var errorDescription: String? { "localized" }
    }
    #expect(MPI.message(of: Described()) == "described")
    #expect(MPI.message(of: Localized()) == "localized")
    #expect(MPI.message(of: Localized() as any Error) == "localized")
    #expect(MPI.message(of: Plain.reason as any Error) == "reason")
  }
}
