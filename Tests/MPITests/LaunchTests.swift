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
}
