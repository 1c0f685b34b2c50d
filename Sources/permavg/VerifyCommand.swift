import ArgumentParser
import Experiments
import MPI

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Shows that permuting hidden units leaves networks' functions as they are.",
    discussion: """
      Prints which axes of which tensors each permutation acts on, permutes every network at random, and \
      compares the logits on random inputs. In a run folder the permutations that merging found are put to \
      the members as well. Exit status 4 if a difference is 1e-4 of the largest logit or more.

      Of checkpoints with --graph it prints the same, the share of parameters that permutations reach, and what keeps \
      the others in their places. Such networks are run by PyTorch: --permuted writes one with its units \
      permuted, which `scripts/export_graph.py --check` compares with the first.
      """)

  @Argument(help: "A run folder, or one or more .safetensors files.")
  var paths: [String]

  @Option(help: "Random permutations that each network is put through.")
  var draws = 3

  @Option(help: "Seed of permutations and inputs.")
  var seed: UInt64 = 1

  @OptionGroup var layout: LayoutOptions

  @Option(
    help: ArgumentHelp(
      "With --graph: write the checkpoint with the units of all groups permuted at random to this file.",
      valueName: "file"))
  var permuted: String?

  @Option(help: "Threads that compute; results do not depend on it. (default: the node's cores)")
  var threads: Int?

  @Flag(help: "Print JSON instead of a table.")
  var json = false

  func run() throws {
    try onRanks { world in
      let isRunFolder = try kind(of: paths, in: world) == .folder
      try onRoot(of: world) {
        let outcome = try Verification(
          paths, isRunFolder: isRunFolder, graph: layout.graph, layers: layout.names,
          permuted: permuted, draws: draws, seed: seed, threads: threads
        ).run()
        try show(outcome, asJSON: json) { outcome.table(draws: draws) }
        try outcome.requireInvariance()
      }
    }
  }
}
