import ArgumentParser
import Experiments
import Reports

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "The whole experiment: train, merge, distil, evaluate, report.",
    discussion: "Members that the output folder already has are kept.")

  @Option(help: ArgumentHelp("Run folder to make or to go on with.", valueName: "folder"))
  var output: String

  @OptionGroup(title: "Members") var count: MemberOptions
  @OptionGroup(title: "Members") var members: ExperimentOptions
  @OptionGroup(title: "Merging") var merging: MergingOptions
  @OptionGroup(title: "Distillation") var distillation: DistillationOptions
  @OptionGroup(title: "Machine") var machine: MachineOptions

  func run() throws {
    var experiment = members.experiment
    count.apply(to: &experiment)
    distillation.apply(to: &experiment)
    try onRanks { [experiment] world in
      var experiment = experiment
      try world.together { try machine.apply(to: &experiment) }
      let chains = try world.together {
        try merging.chains(members.recipe, for: experiment.architecture)
      }
      let session = try Session.create(
        experiment, at: output, in: world, command: "run", data: machine.place,
        threads: machine.threads, measuringNormalization: members.normalization == .data)
      let results = try session.runAll(merging: chains)
      try session.writeReport()
      session.printTable(results)
    }
  }
}
