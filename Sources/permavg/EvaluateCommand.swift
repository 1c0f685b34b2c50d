import ArgumentParser
import Datasets
import Experiments
import MPI
import Reports

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Scores a run folder, or checkpoints from anywhere, on the test set.",
    discussion: """
      A run folder gets its results.json, and a table is printed. Checkpoints are safetensors files of \
      networks, PyTorch's included: the architecture is read off their metadata or the tensors' names and shapes. \
      Several are also scored as one ensemble.
      """)

  @Argument(help: "A run folder, or one or more .safetensors files.")
  var paths: [String]

  @Option(
    help:
      "For checkpoints: data set, \(DatasetName.allCases.map(\.rawValue).joined(separator: ", ")). (default: \(DatasetName.fashionMNIST.rawValue))"
  )
  var dataset: DatasetName?

  @Option(
    help: ArgumentHelp(
      "For checkpoints that do not say: inputs are (byte/255 - mean)/deviation."
        + " (default: \(Normalization.symmetric))", valueName: "mean,deviation"))
  var normalization: Normalization?

  @Option(
    help: ArgumentHelp(
      "For checkpoints: folder to write each one's logits to, NAME.logits.safetensors.",
      valueName: "dir"))
  var logits: String?

  @Flag(help: "Print JSON instead of a table.")
  var json = false

  @OptionGroup(title: "Machine") var machine: MachineOptions

  func run() throws {
    try onRanks { world in
      if try kind(of: paths, in: world) == .folder {
        try evaluateFolder(world)
      } else {
        try evaluateCheckpoints(world)
      }
    }
  }

  private func evaluateCheckpoints(_ world: Communicator) throws {
    try onRoot(of: world) {
      try machine.requireNoShards()
      let rows = try CheckpointEvaluation(
        paths, dataset: dataset ?? .fashionMNIST, dataFolder: machine.data,
        normalization: normalization ?? .symmetric, threads: machine.threads, logitsFolder: logits
      ).run()
      try show(rows, asJSON: json) { CheckpointScores.table(rows) }
    }
  }

  private func evaluateFolder(_ world: Communicator) throws {
    try world.together {
      guard logits == nil, dataset == nil, normalization == nil else {
        throw UsageError(
          "--logits, --dataset and --normalization are for checkpoints; \(paths[0]) is a run folder,"
            + " which knows its own")
      }
    }
    let session = try Session.open(
      paths[0], in: world, command: "evaluate", data: machine.place, threads: machine.threads)
    let results = try session.evaluate()
    try session.close()
    guard json else { return session.printTable(results) }
    if let results { try show(results, asJSON: true) { "" } }
  }
}
