import ArgumentParser
import Datasets
import Experiments
import MPI
import Merging

struct MergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Merges the members of a run folder, or checkpoints from anywhere, into one network.",
    discussion: """
      Needs no mpirun; several ranks share the work of matchings, corrections and unit weights. In a run folder, networks that still \
      hold are kept.

      Checkpoints are safetensors files of networks of one architecture, which is read off their metadata or \
      the tensors' names and shapes. The merged file has the first one's tensor names, so it loads where that does:

        permavg merge a.safetensors b.safetensors c.safetensors --output merged.safetensors

      Networks of any other architecture merge by methods that need no data, if --graph names the graph that \
      scripts/export_graph.py writes of the model:

        permavg merge a.safetensors b.safetensors --graph net.json --method weight-matching --output merged.safetensors
      """)

  @Argument(help: "A run folder with trained members, or two or more .safetensors files.")
  var paths: [String]

  @OptionGroup(title: "Merging") var merging: MergingOptions
  @OptionGroup(title: "Checkpoints") var checkpoints: CheckpointOptions
  @OptionGroup(title: "Machine") var machine: MachineOptions

  func run() throws {
    try onRanks { world in
      let kind = try kind(of: paths, in: world)
      let isFolder = kind == .folder || kind == .nothing && checkpoints.output == nil
      if isFolder { try mergeFolder(world) } else { try mergeCheckpoints(world) }
    }
  }

  private func mergeFolder(_ world: Communicator) throws {
    try world.together {
      guard !checkpoints.isGiven else {
        throw UsageError(
          "--output, --graph, --layers, --dataset, --normalization, --seed, --batch-size, --flips and --json are for"
            + " checkpoints; \(paths[0]) is a run folder, which knows its own")
      }
    }
    let session = try Session.open(
      paths[0], in: world, command: "merge", data: machine.place, threads: machine.threads)
    let chains = try world.together {
      try merging.chains(
        Recipe(rawValue: session.recipe) ?? .default, for: session.experiment.architecture)
    }
    try session.merge(by: chains)
    try session.close()
  }

  private func mergeCheckpoints(_ world: Communicator) throws {
    var settings = Recipe.default.experiment
    checkpoints.apply(to: &settings)
    let merge = try world.together {
      try machine.requireNoShards()
      return try CheckpointMerge(
        paths, by: merging.checkpointChain(), to: checkpoints.output,
        graph: checkpoints.layout.graph, layers: checkpoints.layout.names,
        dataset: checkpoints.dataset, dataFolder: machine.data,
        normalization: checkpoints.normalization, settings: settings,
        threads: machine.threads)
    }
    let outcome = try merge.run(in: world)
    if let outcome { try show(outcome, asJSON: checkpoints.json) { outcome.table } }
  }
}

/// What a run folder knows, and checkpoints from anywhere must be told.
struct CheckpointOptions: ParsableArguments {
  @Option(
    name: [.short, .long],
    help: ArgumentHelp("File for the merged network.", valueName: "file"))
  var output: String?

  @OptionGroup var layout: LayoutOptions

  @Option(
    help:
      "Data set that methods learn from and networks are scored on, \(DatasetName.allCases.map(\.rawValue).joined(separator: ", ")); not needed by methods that work on weights alone."
  )
  var dataset: DatasetName?

  @Option(
    help: ArgumentHelp(
      "For checkpoints that do not say: inputs are (byte/255 - mean)/deviation."
        + " (default: \(Normalization.symmetric))", valueName: "mean,deviation"))
  var normalization: Normalization?

  @Option(help: "Seed of what methods draw. (default: \(Recipe.default.experiment.seed))")
  var seed: UInt64?

  @Option(
    help:
      "Images a step, for methods that learn. (default: \(Recipe.default.experiment.training.batchSize))"
  )
  var batchSize: Int?

  @Flag(help: "Mirror training images with probability one half, for methods that learn.")
  var flips = false

  @Flag(help: "Print JSON instead of a table.")
  var json = false

  var isGiven: Bool {
    output != nil || layout.isGiven || dataset != nil || normalization != nil || seed != nil
      || batchSize != nil
      || flips || json
  }

  func apply(to settings: inout Experiment) {
    if let seed { settings.seed = seed }
    if let batchSize { settings.training.batchSize = batchSize }
    settings.training.flips = flips
  }
}

/// What checkpoints do not say of their networks.
struct LayoutOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Graph of the networks, as scripts/export_graph.py writes it of a PyTorch model of any architecture.",
      valueName: "file.json"))
  var graph: String?

  @Option(
    help: ArgumentHelp(
      "Dense layers from the input to the output, where their names do not say: stem,middle,head.",
      valueName: "names"))
  var layers: String?

  var isGiven: Bool { graph != nil || layers != nil }

  /// The layers' names, in their order.
  var names: [String]? { layers?.split(separator: ",").map(String.init) }
}
