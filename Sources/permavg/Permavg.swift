import ArgumentParser
import Experiments
import Foundation

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
    version: "0.1.0",
    subcommands: [
      RunCommand.self, TrainCommand.self, MergeCommand.self, DistillCommand.self,
      EvaluateCommand.self, ReportCommand.self,
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
  /// Every rank parses the same words, so only the first has something to say.
  private static func end(with error: any Error) -> Never {
    if let status = error as? ExitCode { exit(status.rawValue) }
    let isHelp = Permavg.exitCode(for: error) == .success
    if launcherRank == 0 {
      let message = Permavg.fullMessage(for: error)
      let stream = isHelp ? FileHandle.standardOutput : FileHandle.standardError
      let prefix = isHelp || message.hasPrefix("Error") ? "" : "error: "
      try? stream.write(contentsOf: Data("\(prefix)\(message)\n".utf8))
    }
    exit(isHelp ? 0 : ExitStatus.usage)
  }

  /// The rank that a launcher gave this process; 0 without one. MPI is not started yet.
  private static var launcherRank: Int {
    let environment = ProcessInfo.processInfo.environment
    let names = ["OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"]
    return names.lazy.compactMap { environment[$0].flatMap(Int.init) }.first ?? 0
  }
}
