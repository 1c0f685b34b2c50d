import ArgumentParser
import Experiments

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Trains the members, member m on rank m mod R, and gathers them on rank 0.",
    discussion: "Members that the output folder already has are kept.")

  @Option(help: ArgumentHelp("Run folder to make or to go on with.", valueName: "folder"))
  var output: String

  @OptionGroup(title: "Members") var count: MemberOptions
  @OptionGroup(title: "Members") var members: ExperimentOptions
  @OptionGroup(title: "Machine") var machine: MachineOptions

  func run() throws {
    var experiment = members.experiment
    count.apply(to: &experiment)
    try onRanks { [experiment] world in
      var experiment = experiment
      try world.together { try machine.apply(to: &experiment) }
      let session = try Session.create(
        experiment, at: output, in: world, command: "train", data: machine.place,
        threads: machine.threads, measuringNormalization: members.normalization == .data,
        keepingLaterStages: true)
      _ = try session.trainMembers()
      try session.close()
    }
  }
}
