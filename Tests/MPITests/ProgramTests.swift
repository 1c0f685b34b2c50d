import CMPI
import TestSupport
import Testing

@testable import MPI

/// The tests that launch programs, one at a time; not in a bundle that is itself launched.
@Suite(.serialized, .disabled(if: Command.isUnderLauncher), .timeLimit(.minutes(3)))
enum LaunchedTests {}

extension LaunchedTests {
  /// How programs end, seen from outside.
  @Suite struct ProgramTests {
    @Test func `success is silent and exits with 0`() throws {
      let outcome = try Launcher.run(.success, ranks: 3)
      #expect(outcome.status == 0)
      #expect(outcome.errorLines.isEmpty)
    }

    @Test func `one rank's failure is reported once, by name, and its status is the job's`() throws
    {
      let outcome = try Launcher.run(.failureOfOne, ranks: 3)
      #expect(outcome.status == 3)
      #expect(outcome.errorLines.count == 1)
      #expect(outcome.errorLines.first?.hasPrefix("error: rank 1 on ") == true)
      #expect(outcome.errorLines.first?.hasSuffix(": disk full") == true)
    }

    @Test func `a failure of all ranks is reported once, without names`() throws {
      for ranks in [3, nil] {
        let outcome = try Launcher.run(.failureOfAll, ranks: ranks)
        #expect(outcome.status == 4)
        #expect(outcome.errorLines == ["error: no such file"])
      }
    }

    @Test func `an error inside a collective aborts the job and names the rank`() throws {
      let outcome = try Launcher.run(.mpiError, ranks: 2)
      // Open MPI 4.1's mpirun itself sometimes crashes in an abort, so that the status is its own.
      #expect(outcome.status != 0)
      let error = try #require(outcome.errorLines.first)
      #expect(error.hasPrefix("error: rank "))
      #expect(
        error.hasSuffix(
          ": gather in phase \"collect\": \(MPI.text(of: MPI_ERR_ROOT)): root 2 is not among the 2 ranks"
        ))
    }

    @Test func `an error of a rank that is alone is reported plainly`() throws {
      let outcome = try Launcher.run(.failureAlone, ranks: nil)
      #expect(outcome.status == 5)
      #expect(outcome.errorLines == ["error: not today"])
    }

    @Test func `an error outside an agreement aborts the job`() throws {
      let outcome = try Launcher.run(.failureAlone, ranks: 2)
      #expect(outcome.status != 0)
      #expect(outcome.errorLines.first?.hasSuffix(": not today") == true)
    }

    @Test func `a failure of some ranks aborts the job, reported once`() throws {
      let outcome = try Launcher.run(.failureOfPart, ranks: 3)
      #expect(outcome.status != 0)
      #expect(outcome.errorLines == ["error: half"])
    }

    @Test func `a nested failure is reported once and agreed on by all`() throws {
      let outcome = try Launcher.run(.nestedFailure, ranks: 3)
      #expect(outcome.status == 4)
      #expect(outcome.errorLines == ["error: inner"])
    }

    @Test func `a launcher that is not the library's is refused`() throws {
      let outcome = try Launcher.run(
        .success, ranks: nil, environment: ["MPI_LOCALNRANKS": "4"])
      #expect(outcome.status == 2)
      #expect(outcome.errorLines.first?.contains("MPI_LOCALNRANKS=4") == true)
    }

    @Test(arguments: [nil, 2])
    func `a shell in a Slurm step starts programs alone and by mpirun`(ranks: Int?) throws {
      let outcome = try Launcher.run(
        .success, ranks: ranks, environment: LaunchTests.slurmShell)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.errorLines.isEmpty && !outcome.errors.contains("srun"))
    }

    @Test
    func `a step of several tasks whose srun serves no MPI is refused, or one process asked for`()
      throws
    {
      var environment = LaunchTests.slurmShell
      environment["SLURM_STEP_NUM_TASKS"] = "4"
      // Open MPI itself refuses: it ends the process before any code of ours.
      #expect(try Launcher.run(.success, ranks: nil, environment: environment).status != 0)
      environment["SLURM_STEP_ID"] = nil
      let outcome = try Launcher.run(.success, ranks: nil, environment: environment)
      #expect(outcome.status == 2)
      #expect(outcome.errorLines.first?.contains("SLURM_STEP_NUM_TASKS=4") == true)
    }

    @Test func `dropping a request stops the process`() throws {
      let outcome = try Launcher.run(.droppedRequest, ranks: nil)
      #expect(outcome.status != 0)
      #expect(
        (outcome.output + outcome.errors).contains(
          "the pending startGather of phase \"drop\" was dropped before it was complete"))
    }
  }
}
