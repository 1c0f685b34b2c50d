import ArgumentParser
import Experiments

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Writes report.html, one file without a network, from what a run folder holds.")

  @Argument(help: "Run folder that has been evaluated.")
  var folder: String

  func run() throws {
    try onRanks { world in
      let session = try Session.open(folder, in: world, command: "report")
      try session.writeReport()
      if world.isRoot { print("\(folder)/report.html") }
    }
  }
}
