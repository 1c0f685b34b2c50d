import ArgumentParser
import Datasets
import Experiments
import Foundation

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Scores a run folder, or checkpoints from anywhere, on the test set.",
    discussion: """
      A run folder gets its results.json, and a table is printed. Checkpoints are safetensors files of \
      multi-layer perceptrons, PyTorch's included: the architecture is read off the tensors' shapes. \
      Several are also scored as one ensemble.
      """)

  @Argument(help: "A run folder, or one or more .safetensors files.")
  var paths: [String]

  @Option(
    help:
      "Data set for checkpoints: \(DatasetName.allCases.map(\.rawValue).joined(separator: ", "))."
  )
  var dataset = DatasetName.fashionMNIST

  @Option(
    help: ArgumentHelp(
      "For checkpoints that do not say: inputs are (byte/255 - mean)/deviation.",
      valueName: "mean,deviation"))
  var normalization = Normalization.symmetric

  @Option(
    help: ArgumentHelp(
      "For checkpoints: folder to write each one's logits to, NAME.logits.safetensors.",
      valueName: "dir"))
  var logits: String?

  @Flag(help: "Print JSON instead of a table.")
  var json = false

  @OptionGroup(title: "Machine") var machine: MachineOptions

  func run() throws {
    var isFolder: ObjCBool = false
    if paths.count == 1, FileManager.default.fileExists(atPath: paths[0], isDirectory: &isFolder),
      isFolder.boolValue
    {
      return try evaluateFolder()
    }
    try onRanks { world in
      try world.together {
        guard world.isRoot else { return }
        let rows = try CheckpointEvaluation(
          paths, dataset: dataset, dataFolder: machine.data, normalization: normalization,
          threads: machine.threads, logitsFolder: logits
        ).run()
        try show(rows, asJSON: json) { CheckpointEvaluation.table(rows) }
      }
    }
  }

  private func evaluateFolder() throws {
    try onRanks { world in
      let session = try Session.open(
        paths[0], in: world, command: "evaluate", dataFolder: machine.data,
        threads: machine.threads)
      let results = try session.evaluate()
      try session.close()
      guard json else { return session.printTable(results) }
      if let results { try show(results, asJSON: true) { "" } }
    }
  }
}
