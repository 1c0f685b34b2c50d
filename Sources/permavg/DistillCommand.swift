import ArgumentParser
import Experiments

struct DistillCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "distill",
    abstract: "Distils the ensemble of a run folder into students, which train on the ranks.",
    discussion: "Settings are kept in the folder.")

  @Argument(help: "Run folder with trained members.")
  var folder: String

  @OptionGroup(title: "Distillation") var distillation: DistillationOptions
  @OptionGroup(title: "Machine") var machine: MachineOptions

  func run() throws {
    try onRanks { world in
      let session = try Session.open(
        folder, in: world, command: "distill", data: machine.place,
        threads: machine.threads, changing: distillation.apply)
      try session.distill()
      try session.close()
    }
  }
}
