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
