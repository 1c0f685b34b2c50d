import CMPI
import Foundation

/// The life of an MPI program: start, run, end.
public enum MPI {
  /// What a process exits with after an error that has no status of its own (`EX_SOFTWARE`).
  static let internalErrorStatus: Int32 = 70

  /// Runs `program` as one rank of an MPI job and returns the status to exit with.
  ///
  /// ```swift
  /// @main struct Program {
  ///   static func main() {
  ///     exit(MPI.run { world in … })
  ///   }
  /// }
  /// ```
  ///
  /// Starts MPI for one thread (the caller's), makes errors thrown instead of fatal, and refuses to run
  /// as a world of one when a launcher meant more. How it ends:
  ///
  /// | `program` | what happens | status |
  /// |---|---|---|
  /// | returns | MPI is finalized | 0 |
  /// | throws ``JointFailure`` of all ranks | already reported; MPI is finalized on every rank | its own |
  /// | throws anything else, alone in the world | reported, MPI is finalized | the error's, else 70 |
  /// | throws anything else | reported with rank and host, then `MPI_Abort` ends all ranks | the error's, else 70 |
  /// | was launched wrongly | says what was found and what to do | 2 |
  ///
  /// Abort is the only way out of the last but one: a rank cannot know where its peers are, and if it
  /// finalized or exited they would wait for it forever. Put local work into
  /// ``Communicator/together(phase:_:)`` so that failures end in an agreement instead. Nothing is
  /// printed on success. MPI starts once a process: a second call is an error.
  ///
  /// - Parameter program: What the rank does, given the communicator of all ranks.
  /// - Returns: The status to exit with; not returned from when the job is aborted.
  public static func run(_ program: (Communicator) throws -> Void) -> Int32 {
    let world: Communicator
    do {
      world = try initialize()
    } catch {
      printError(message(of: error))
      return internalErrorStatus
    }
    let environment = ProcessInfo.processInfo.environment
    if let problem = Launch.problem(worldSize: world.size, environment: environment) {
      printError(problem)
      finalize()
      return Launch.problemStatus
    }
    do {
      try program(world)
      finalize()
      return 0
    } catch {
      return end(after: error, in: world)
    }
  }

  /// Ends the rank, or the job, after an error.
  private static func end(after error: any Error, in world: Communicator) -> Int32 {
    let status = error.exitStatusOrInternal
    let joint = error as? JointFailure
    if world.size == 1 || joint?.isWorldwide == true {
      if joint == nil { printError(message(of: error)) }
      finalize()
      return status
    }
    // What a part of the ranks has agreed on is reported, but the others are still at work.
    if joint == nil {
      printError("rank \(world.rank) on \(processorName): \(message(of: error))")
    }
    fflush(nil)
    MPI_Abort(world.raw, status)
    return status
  }

  /// How many threads call MPI (MPI-3.1, section 12.4.3).
  public enum ThreadLevel: Sendable {
    /// Only the thread that started MPI.
    case funneled
    /// Any thread, one at a time: what test runners need, which move tests between threads.
    case serialized

    var value: Int32 {
      switch self {
      case .funneled: mpi_thread_funneled()
      case .serialized: mpi_thread_serialized()
      }
    }
  }

  /// Starts MPI without a closure to run in, for hosts that have none, such as a test bundle.
  ///
  /// Programs use ``run(_:)``. Call ``finalize()`` on every rank before the process exits.
  ///
  /// - Parameter threads: Which threads will use the communicator.
  /// - Returns: The communicator of all ranks.
  /// - Throws: ``MPIError`` if MPI has been started before or does not provide the thread level.
  public static func initialize(
    threads: ThreadLevel = .funneled
  ) throws(MPIError) -> Communicator {
    func failure(_ detail: String) -> MPIError {
      MPIError(
        code: MPI_ERR_OTHER, errorClass: MPI_ERR_OTHER, call: "MPI_Init_thread",
        message: detail, rank: 0, phase: "start")
    }
    var isInitialized: Int32 = 0
    MPI_Initialized(&isInitialized)
    guard isInitialized == 0 else {
      throw failure("MPI was started before in this process, and it starts only once")
    }
    if Launch.isAloneInSlurmStep(ProcessInfo.processInfo.environment) {
      unsetenv(Launch.slurmStep)
    }
    var provided: Int32 = 0
    let code = MPI_Init_thread(nil, nil, threads.value, &provided)
    guard code == MPI_SUCCESS else { throw failure(text(of: code)) }
    guard provided >= threads.value else {
      finalize()
      throw failure(
        "this MPI library provides thread level \(provided) and \(threads) needs "
          + "\(threads.value); use a build with thread support")
    }
    return try Communicator.world()
  }

  /// Ends MPI, if it is running; collective over the world.
  public static func finalize() {
    var isInitialized: Int32 = 0
    MPI_Initialized(&isInitialized)
    guard isInitialized != 0, !isFinalized else { return }
    MPI_Finalize()
  }
}
