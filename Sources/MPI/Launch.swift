/// How the process was started, as far as launchers leave traces in the environment.
enum Launch {
  /// The status of a process that was launched wrongly: a usage error.
  static let problemStatus: Int32 = 2

  /// The variables in which launchers say how many ranks they start, with the launchers' names.
  private static let counts = [
    ("OMPI_COMM_WORLD_SIZE", "Open MPI's mpirun"),
    ("PMI_SIZE", "an MPICH-like launcher"),
    ("MPI_LOCALNRANKS", "an MPICH-like launcher"),
    ("SLURM_STEP_NUM_TASKS", "srun"),
  ]

  /// Whether the process is in a Slurm step of one task that no launcher of MPI's has made: a shell under
  /// `srun --pty`, above all.
  ///
  /// Open MPI takes every step for a launch by `srun`, looks for a server of `srun`'s and ends the process when
  /// there is none. One task is a world of one by any launcher, so nothing is lost by starting without; PMIx
  /// variables tell of a server that does answer.
  static func isAloneInSlurmStep(_ environment: [String: String]) -> Bool {
    let launchers = ["OMPI_COMM_WORLD_SIZE", "PMIX_NAMESPACE", "PMIX_RANK"]
    return environment[slurmStep] != nil && launchers.allSatisfy { environment[$0] == nil }
      && Int(environment["SLURM_STEP_NUM_TASKS"] ?? "1") == 1
  }

  /// The variable by which Open MPI (4.1: `schizo_slurm.c`) tells a step from a mere allocation.
  static let slurmStep = "SLURM_STEP_ID"

  /// What is wrong with the launch, or `nil`.
  ///
  /// A launcher of another MPI family, or `srun` without the PMI that the library speaks, starts n
  /// worlds of one instead of one world of n. Each would do all the work and overwrite the others' files.
  static func problem(worldSize: Int, environment: [String: String]) -> String? {
    guard worldSize == 1 else { return nil }
    for (variable, launcher) in counts {
      guard let text = environment[variable], let count = Int(text), count > 1 else { continue }
      return """
        \(launcher) started \(count) processes (\(variable)=\(text)), but MPI sees a world of one: \
        the launcher and the MPI library this program was built with do not belong together. \
        Use that library's own mpirun\
        \(variable.hasPrefix("SLURM") ? ", or srun --mpi=pmix if it supports PMIx" : "")\
        ; to run one process on purpose, unset \(variable).
        """
    }
    return nil
  }
}
