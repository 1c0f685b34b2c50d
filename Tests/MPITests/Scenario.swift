import CMPI
import Foundation
import Testing

@testable import MPI

/// The programs that ``ProgramTests`` launches.
enum Scenario: String {
  case success, failureOfOne, failureOfAll, mpiError, failureAlone, failureOfPart, nestedFailure
  case droppedRequest, monitored

  /// The environment variable that chooses one.
  static let variable = "MPI_TEST_SCENARIO"

  static var chosen: Scenario? {
    ProcessInfo.processInfo.environment[variable].flatMap(Scenario.init)
  }

  struct Failure: ExitStatusProviding, CustomStringConvertible {
    let description: String
    let exitStatus: Int32
  }

  func run(in world: Communicator) throws {
    switch self {
    case .success:
      _ = try world.together { world.rank }
    case .failureOfOne:
      try world.together {
        if world.rank == 1 { throw Failure(description: "disk full", exitStatus: 3) }
      }
    case .failureOfAll:
      try world.together { throw Failure(description: "no such file", exitStatus: 4) }
    case .mpiError:
      _ = try world.gather([1], to: world.size, phase: "collect")
    case .failureAlone:
      throw Failure(description: "not today", exitStatus: 5)
    case .failureOfPart:
      // Rank 0 stays outside and waits for ranks that will not come.
      let part = try world.split(color: world.isRoot ? nil : 0, key: 0)
      try part?.together { throw Failure(description: "half", exitStatus: 6) }
      try world.barrier(phase: "wait")
    case .nestedFailure:
      try world.together {
        let part = try world.split(color: world.rank % 2, key: 0)
        try part?.together {
          if world.rank == 1 { throw Failure(description: "inner", exitStatus: 4) }
        }
      }
    case .droppedRequest:
      _ = try world.startGather([1], to: 0, phase: "drop")
    case .monitored:
      try Monitored.run(in: world)
    }
  }
}

@Suite struct ScenarioTests {
  @Test(.enabled(if: Scenario.chosen != nil))
  func `a launched program`() {
    guard let scenario = Scenario.chosen else { return }
    exit(MPI.run(scenario.run))
  }
}
