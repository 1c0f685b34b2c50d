import ArgumentParser
import Datasets
import Experiments
import Networks

struct ArchitecturesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "architectures",
    abstract: "Lists networks by the texts that --architecture takes, or shows one.",
    discussion: """
      Sizes are for the images that --dataset names. A network is shown with its layers, the shapes of \
      their values, and the group of units that each belongs to: what merging permutes.
      """)

  @Argument(
    help: ArgumentHelp("The network to show. (default: a list)", valueName: "network"),
    transform: graph)
  var architecture: Graph?

  @Option(
    help: "Data set: \(DatasetName.allCases.map(\.rawValue).joined(separator: ", ")).")
  var dataset = DatasetName.fashionMNIST

  @Flag(help: "Print JSON instead of a table.")
  var json = false

  func run() throws {
    let list =
      architecture.map {
        ArchitectureList(
          $0.ofUsualImages(resizedTo: dataset.shape.numbers, classes: dataset.classes))
      } ?? ArchitectureList(image: dataset.shape.numbers, classes: dataset.classes)
    try show(list, asJSON: json) { list.table }
  }
}
