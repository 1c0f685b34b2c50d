import Foundation
import Merging
import Networks
import TestSupport
import Testing

@testable import Experiments

/// Weights near the ends of what 32-bit floats hold: a merge, or one line that says why not, and never a signal.
@Suite(.serialized) struct HugeWeightTests {
  /// Every method that lines units up, and the mean they are held against.
  private static let dataFree = ["naive", "weight-matching", "mergemany", "c2m3"]
  private static let withData = [
    "activation-matching", "weight-activation-matching", "straight-through(epochs=1)",
  ]

  /// Writes two networks whose weights are of the given sizes, bounded by what is finite.
  private func write(_ scales: (Double, Double), of text: String, to folder: String) throws
    -> [String]
  {
    let graph = try #require(Graph(text))
    return try [scales.0, scales.1].enumerated().map { number, scale in
      let draws = normals(graph.parameterCount, seed: number)
      let network = Network(
        graph,
        parameters: draws.map { Float(min(max(Double($0) / 10 * scale, -3e38), 3e38)) })
      let path = "\(folder)/\(number).safetensors"
      try network.checkpoint().write(to: path)
      return path
    }
  }

  @Test(
    .timeLimit(.minutes(3)),
    arguments: [
      (1, 1e39), (1e19, 1e19), (1e20, 1e20), (3e38, 3e38), (1e-20, 1e-20), (0, 1e20),
    ])
  func `merging by units ends well, or in one line`(scales: (Double, Double)) throws {
    let isTriedOnBoth = scales.0 == 3e38 || scales.0 == 1e-20
    for architecture in ["784-8-6-10"] + (isTriedOnBoth ? ["residual:784-6x1-10"] : []) {
      try withTemporaryFolder { folder in
        let paths = try write(scales, of: architecture, to: folder)
        let output = "\(folder)/merged.safetensors"
        for method in Self.dataFree + Self.withData {
          let data =
            Self.dataFree.contains(method)
            ? [] : ["--dataset", "synthetic", "--batch-size", "2000"]
          let outcome = try Program.permavg(
            ["merge"] + paths + ["--method", method, "--output", output] + data)
          let what = "\(architecture), \(scales), \(method): \(outcome.status), \(outcome.errors)"
          #expect([0, 4].contains(outcome.status), "\(what)")
          #expect(outcome.errorLines.count == (outcome.status == 0 ? 0 : 1), "\(what)")
          // A file is there if and only if it was a success, and it holds a network of finite numbers.
          #expect(
            FileManager.default.fileExists(atPath: output) == (outcome.status == 0), "\(what)")
          guard outcome.status == 0 else { continue }
          #expect(try Network(try Safetensors(contentsOf: output), path: output).isFinite)
          try FileManager.default.removeItem(atPath: output)
        }
      }
    }
  }

  @Test func `permuted copies of huge and of tiny weights are found`() throws {
    for scale in [1e19, 1e-20] {
      try withTemporaryFolder { folder in
        let path = try write((scale, 1), of: "20-9-7-5", to: folder)[0]
        let network = try Network(try Safetensors(contentsOf: path), path: path)
        let copy = "\(folder)/copy.safetensors"
        try network.permuted(
          by: network.graph.symmetry.groups.map { group in
            Permutation(Array((0..<group.count).reversed()))
          }
        ).checkpoint().write(to: copy)
        let output = "\(folder)/merged.safetensors"
        for method in Self.dataFree.dropFirst() {
          try Program.succeed(["merge", path, copy, "--method", method, "--output", output])
          let merged = try Network(try Safetensors(contentsOf: output), path: output)
          let largest = network.parameters.reduce(0) { max($0, abs($1)) }
          // Of methods without a reference the order of the units is free.
          let (a, b) = (merged.parameters.map(abs).sorted(), network.parameters.map(abs).sorted())
          #expect(largestDifference(a, b) < 1e-5 * largest, "\(method) at \(scale)")
        }
      }
    }
  }

  @Test func `methods that learn or correct end well, or in one line`() throws {
    try withTemporaryFolder { folder in
      let output = "\(folder)/merged.safetensors"
      for scale in [1e19, 3e38, 1e-20] {
        let paths = try write((scale, scale), of: "784-8-10", to: folder)
        for method in [
          "permavg(epochs=1)", "naive,unit-weights(epochs=1)", "weight-matching,repair",
          "naive,refit-head", "naive,least-squares", "neuron-selection", "greedy-soup",
          "best-member,fine-tune(epochs=1)", "unit-weights-ensemble(epochs=1)",
        ] {
          let outcome = try Program.permavg(
            ["merge"] + paths
              + ["--method", method, "--output", output, "--dataset", "synthetic"]
              + ["--batch-size", "2000"])
          let what = "\(scale), \(method): \(outcome.status), \(outcome.errors)"
          // 2: the loss runs away, and what is advised is a smaller rate.
          #expect([0, 2, 4].contains(outcome.status), "\(what)")
          #expect(outcome.errorLines.count == (outcome.status == 0 ? 0 : 1), "\(what)")
        }
      }
    }
  }
}
