import ArgumentParser
import Experiments
import Reports

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract:
      "Writes report.html, or a study's study.html: one file that needs no network, from what a folder holds."
  )

  @Argument(help: "Run folder that has been evaluated, or a study's folder.")
  var folder: String

  func run() throws {
    try onRanks { world in
      guard try !Study.writeReport(at: folder, in: world) else {
        if world.isRoot { print("\(folder)/study.html") }
        return
      }
      let session = try Session.open(folder, in: world, command: "report")
      try session.writeReport()
      if world.isRoot { print("\(folder)/report.html") }
    }
  }
}
