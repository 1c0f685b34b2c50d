import ArgumentParser
import Benchmarks
import Datasets
import Experiments
import Networks

extension Benchmark: ExpressibleByArgument {}

/// The settings that the help quotes.
private let defaults = BenchmarkSettings.standard

struct BenchmarkCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benchmark",
    abstract: "Times training, merging, single kernels or inference.",
    discussion: """
      Under mpirun every rank measures at once, each for itself. scripts/benchmark.sh compares the \
      figures with those of PyTorch, SciPy and lapx.
      """)

  @Argument(
    help: ArgumentHelp(
      Benchmark.allCases.map { "\($0.rawValue): \($0.summary)" }.joined(separator: "; ") + ".",
      valueName: "what"))
  var benchmark: Benchmark

  @Option(help: "Threads that compute.")
  var threads = defaults.threads

  @Option(help: "How often each thing is timed; the median is shown.")
  var repeats = defaults.repeats

  @Option(
    help: ArgumentHelp(
      "Epochs of training or merging before those that are timed.", valueName: "epochs"))
  var warmUp = defaults.warmUp

  @Option(help: "Images a step.")
  var batchSize = defaults.batchSize

  @Option(
    help: ArgumentHelp(
      "The network. (default: \(defaults.architecture))", valueName: "network"), transform: graph)
  var architecture: Graph?

  @Option(help: "M, for merging and inference.")
  var members = defaults.members

  @Option(
    help: ArgumentHelp(
      "Batches of an epoch that are timed; the epoch's time is scaled up from them. (default: all)",
      valueName: "count"))
  var batches: Int?

  @Option(
    help: "Data set: \(DatasetName.allCases.map(\.rawValue).joined(separator: ", ")).")
  var dataset = defaults.dataset

  @Option(
    help: ArgumentHelp("Folder with the data set's four IDX files.", valueName: "dir"))
  var data: String?

  @Option(
    help: ArgumentHelp("Of the kernels, only those whose name contains this.", valueName: "text"))
  var filter: String?

  @Option(
    help: ArgumentHelp(
      "With kernels: folder to write the assignment's matrices to, for scripts/benchmarks/peers.py.",
      valueName: "dir"))
  var saveMatrices: String?

  @Flag(help: "Print JSON instead of a table.")
  var json = false

  func run() throws {
    var settings = defaults
    settings.threads = threads
    settings.repeats = repeats
    settings.warmUp = warmUp
    settings.batchSize = batchSize
    architecture.map { settings.architecture = $0 }
    settings.members = members
    settings.batches = batches
    settings.dataset = dataset
    settings.dataFolder = data
    settings.filter = filter
    settings.matrixFolder = saveMatrices
    try onRanks { world in
      let report = try benchmark.run(settings, in: world, version: Permavg.configuration.version)
      if let report { try show(report, asJSON: json) { report.table } }
    }
  }
}
