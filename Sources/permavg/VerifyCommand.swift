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
      """)

  @Argument(help: "A run folder, or one or more .safetensors files.")
  var paths: [String]

  @Option(help: "Random permutations that each network is put through.")
  var draws = 3

  @Option(help: "Seed of permutations and inputs.")
  var seed: UInt64 = 1

  @Option(help: "Threads that compute; results do not depend on it. (default: the node's cores)")
  var threads: Int?

  @Flag(help: "Print JSON instead of a table.")
  var json = false

  func run() throws {
    try onRanks { world in
      let isRunFolder = try kind(of: paths, in: world) == .folder
      try onRoot(of: world) {
        let outcome = try Verification(
          paths, isRunFolder: isRunFolder, draws: draws, seed: seed, threads: threads
        ).run()
        try show(outcome, asJSON: json) { outcome.table(draws: draws) }
        try outcome.requireInvariance()
      }
    }
  }
}
