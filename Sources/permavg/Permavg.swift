import ArgumentParser
import Experiments
import Foundation
import MPI

/// The program: a set of commands that work on a run folder.
struct Permavg: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "permavg",
    abstract: "Turns an ensemble of neural networks into a single network, over MPI ranks.",
    discussion: """
      Start it with mpirun to use several ranks, or alone for one:

        mpirun -n 3 permavg run --recipe thesis --output runs/thesis
        permavg evaluate runs/thesis

      Exit status: 0 done, 2 usage, 3 data or a file is invalid, 4 a checkpoint is unusable, \
      70 internal error.
      """,
    version: "0.3.0",
    subcommands: [
      RunCommand.self, TrainCommand.self, MergeCommand.self, DistillCommand.self,
      EvaluateCommand.self, VerifyCommand.self, ReportCommand.self, StudyCommand.self,
      ArchitecturesCommand.self, BenchmarkCommand.self,
    ])
}

@main
enum Main {
  static func main() {
    do {
      var command = try Permavg.parseAsRoot()
      try command.run()
    } catch {
      end(with: error)
    }
  }

  /// Ends the program with the parser's message and one of the documented statuses.
  ///
  /// Every rank parses the same words and comes here, so the message is said by the first. A wrong
  /// usage is agreed on over MPI: mpirun stops a job as soon as one rank leaves with an error, which
  /// might be before the first has spoken.
  private static func end(with error: any Error) -> Never {
    if let status = error as? ExitCode { exit(status.rawValue) }
    guard Permavg.exitCode(for: error) != .success else {
      if (launcherRank ?? 0) == 0 { print(Permavg.fullMessage(for: error)) }
      exit(0)
    }
    let text = "\(Permavg.message(for: error)); see permavg --help, or --help of a command"
    guard launcherRank != nil else {
      try? FileHandle.standardError.write(contentsOf: Data("error: \(text)\n".utf8))
      exit(ExitStatus.usage)
    }
    exit(MPI.run { world in try world.together { throw UsageError(text) } })
  }

  /// The rank that a launcher gave this process, if one did; MPI is not started yet.
  private static var launcherRank: Int? {
    let environment = ProcessInfo.processInfo.environment
    let names = ["OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"]
    return names.lazy.compactMap { environment[$0].flatMap(Int.init) }.first
  }
}
