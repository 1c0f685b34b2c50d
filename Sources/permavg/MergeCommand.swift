import ArgumentParser
import Experiments

struct MergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Merges the members of a run folder into one network, on rank 0.",
    discussion:
      "Needs no mpirun: other ranks only help with methods that look at the training images, such as"
      + " repair. Settings are kept in the folder."
  )

  @Argument(help: "Run folder with trained members.")
  var folder: String

  @OptionGroup(title: "Merging") var merging: MergingOptions
  @OptionGroup(title: "Machine") var machine: MachineOptions

  func run() throws {
    try onRanks { world in
      let session = try Session.open(
        folder, in: world, command: "merge", dataFolder: machine.data, threads: machine.threads,
        changing: merging.apply)
      try session.merge(by: merging.chains)
      try session.close()
    }
  }
}
