import Foundation
import Testing

@testable import MPI

@Suite struct LaunchTests {
  @Test(arguments: ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS", "SLURM_STEP_NUM_TASKS"])
  func `a world of one where a launcher started four is a problem`(variable: String) throws {
    let problem = try #require(
      Launch.problem(worldSize: 1, environment: [variable: "4", "PATH": "/bin"]))
    #expect(problem.contains("started 4 processes (\(variable)=4)"))
    #expect(problem.contains("unset \(variable)"))
  }

  @Test func `a launch that is as it should be is no problem`() {
    #expect(Launch.problem(worldSize: 1, environment: [:]) == nil)
    #expect(Launch.problem(worldSize: 1, environment: ["OMPI_COMM_WORLD_SIZE": "1"]) == nil)
    #expect(Launch.problem(worldSize: 1, environment: ["PMI_SIZE": "many"]) == nil)
    #expect(Launch.problem(worldSize: 4, environment: ["OMPI_COMM_WORLD_SIZE": "4"]) == nil)
    // An allocation is not a launch: only a step's own count says how many processes there are.
    #expect(Launch.problem(worldSize: 1, environment: ["SLURM_NTASKS": "4"]) == nil)
  }

  /// What a shell under `srun --pty bash` has.
  static let slurmShell = [
    "SLURM_JOB_ID": "7", "SLURM_JOBID": "7", "SLURM_STEP_ID": "0", "SLURM_STEPID": "0",
    "SLURM_PROCID": "0", "SLURM_NTASKS": "1", "SLURM_NNODES": "1", "SLURM_STEP_NUM_TASKS": "1",
    "SLURM_NODELIST": ProcessInfo.processInfo.hostName,
    "SLURM_JOB_NODELIST": ProcessInfo.processInfo.hostName,
    "SLURM_TASKS_PER_NODE": "1",
  ]

  @Test func `a shell in a Slurm step is no launch`() {
    #expect(Launch.isAloneInSlurmStep(Self.slurmShell))
    // As the refusal of several tasks advises.
    #expect(Launch.isAloneInSlurmStep(Self.slurmShell.filter { $0.key != "SLURM_STEP_NUM_TASKS" }))
    // A server of PMI's version 1 or 2 may be there; for one task there is nothing to ask it.
    #expect(Launch.isAloneInSlurmStep(Self.slurmShell.merging(["PMI_RANK": "0"]) { $1 }))
  }

  @Test(arguments: [
    ["OMPI_COMM_WORLD_SIZE": "1"], ["PMIX_RANK": "0"], ["PMIX_NAMESPACE": "slurm.pmix.7.0"],
    ["SLURM_STEP_NUM_TASKS": "4"],
  ])
  func `what a launcher started in a Slurm step is left to it`(variables: [String: String]) {
    #expect(!Launch.isAloneInSlurmStep(Self.slurmShell.merging(variables) { $1 }))
  }

  @Test func `an allocation is no step`() {
    #expect(!Launch.isAloneInSlurmStep([:]))
    #expect(!Launch.isAloneInSlurmStep(Self.slurmShell.filter { $0.key != "SLURM_STEP_ID" }))
  }
}
