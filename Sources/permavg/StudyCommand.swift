import ArgumentParser
import Experiments
import Reports
import Training

struct StudyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "study",
    abstract: "What one network from M reaches, for several M and seeds.",
    discussion: """
      Trains the largest ensemble once a seed; smaller ones are its first members. Whatever the folder has is kept: \
      a study goes on where it stopped, and may grow by sizes, seeds and ways to merge.
      """)

  @Option(help: ArgumentHelp("Folder to make or to go on with.", valueName: "folder"))
  var output: String

  @Option(help: ArgumentHelp("Ensemble sizes, separated by commas.", valueName: "sizes"))
  var members = SizeList(sizes: [2, 3, 5, 8, 16, 32])

  @Option(help: "How many seeds, counted up from --seed.")
  var seeds = 5

  @Option(
    help: ArgumentHelp(
      "A way to merge, as in `permavg merge`; name@8 stops at M = 8. May be given more than once."
        + " (default: \(Self.defaultChains.joined(separator: " ")))", valueName: "methods"),
    transform: { try StudyChain(parsing: $0) })
  var method: [StudyChain] = []

  @OptionGroup(title: "Members") var options: ExperimentOptions
  @OptionGroup(title: "Merging") var settings: SettingOptions
  @OptionGroup(title: "Distillation") var distillation: DistillationOptions
  @OptionGroup(title: "Machine") var machine: MachineOptions

  /// Of every family the best and what they are held against.
  private static let defaultChains = [
    "naive", "weight-matching", "mergemany", "c2m3@16", "activation-matching@16", "permavg@5",
    "mergemany,repair", "mergemany,refit-head", "mergemany,unit-weights",
    "mergemany,unit-weights,refit-head", "mergemany,unit-weights-ensemble", "neuron-selection",
    "best-member", "best-member,refit-head", "best-member,fine-tune",
  ]

  @Option(
    help: ArgumentHelp(
      "Members coupled in this way are trained beside those that are not, and scored by their mean; as --exchange of"
        + " `permavg train`. May be given more than once. (default with --shards: fedavg, papa, wash and diloco)",
      valueName: "exchange"), transform: { try coupling($0, of: "--couple") })
  var couple: [Coupling] = []

  /// Where members have their own images: what one round of messages gives, with controls, and training on all data.
  private static func chains(for experiment: Experiment, members: Int) -> [StudyChain] {
    let epochs = experiment.training.epochs
    let rate = experiment.training.learningRate
    func tuned(_ start: String, _ epochs: Int) -> String {
      "\(start),fine-tune(epochs=\(max(epochs, 1)),learning-rate=\(rate))"
    }
    return [
      "naive", "mergemany", "mergemany,repair,refit-head-labels", "mergemany,unit-weights",
      "neuron-selection", "neuron-selection(head=labels)",
      "neuron-selection(width=\(min(2, members)),head=labels)",
      "neuron-selection(head=logistic)",
      "neuron-selection(width=\(min(2, members)),head=logistic)",
      tuned("neuron-selection(head=logistic)", epochs / 4), "best-member",
      "best-member,refit-head-labels(fit=logistic)",
      "random-network,refit-head-labels(fit=logistic)",
      tuned("random-network", epochs / max(members, 1)), tuned("random-network", epochs),
    ].compactMap(StudyChain.init)
  }

  /// Ten rounds, and one, of the members' epochs.
  private static func couplings(for experiment: Experiment) -> [Coupling] {
    let epochs = experiment.training.epochs
    let tenth = max(epochs / 10, 1)
    return [
      "fedavg(every=\(epochs)e)", "fedavg(every=\(tenth)e)", "papa", "wash",
      "diloco(every=\(tenth)e)",
    ].compactMap(Coupling.init)
  }

  func run() throws {
    var experiment = options.experiment
    distillation.apply(to: &experiment)
    guard options.normalization != .data else {
      throw ValidationError(
        "--normalization data: a study needs numbers, as 0.286,0.353; `permavg train --normalization data` writes"
          + " a set's own to experiment.json")
    }
    guard experiment.exchange == nil else {
      throw ValidationError(
        "--exchange: a study couples members by --couple, beside those that are not")
    }
    try onRanks { [experiment] world in
      var experiment = experiment
      try world.together { try machine.apply(to: &experiment) }
      let isSharded = experiment.shards != nil
      let couplings =
        couple.isEmpty && isSharded ? Self.couplings(for: experiment) : couple
      let chains =
        !method.isEmpty
        ? method
        : isSharded
          ? Self.chains(for: experiment, members: members.sizes.max() ?? 1)
          : Self.defaultChains.compactMap(StudyChain.init)
      let possible = chains.filter { $0.chain.problem(for: experiment.architecture) == nil }
      let plan = StudyPlan(
        experiment, sizes: members.sizes, seedCount: seeds,
        chains: try world.together {
          try (method.isEmpty ? possible : chains).map { try $0.settingDefaults(settings.apply) }
        }, exchanges: couplings)
      let study = try Study(
        plan, at: output, in: world, data: machine.place, threads: machine.threads)
      if let table = try study.run(onTable: { try $0.writePage() }) {
        print("\n\(table.text)\n\nReport: \(output)/study.html")
      }
    }
  }
}

/// Ensemble sizes separated by commas.
struct SizeList: ExpressibleByArgument, CustomStringConvertible {
  var sizes: [Int]

  init(sizes: [Int]) { self.sizes = sizes }

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    sizes = parts.compactMap { Int($0) }
    guard sizes.count == parts.count, !sizes.isEmpty else { return nil }
  }

  var description: String { sizes.map(String.init).joined(separator: ",") }
  var defaultValueDescription: String { description }
}
