import Foundation
import TestSupport
import Testing

@testable import Experiments

/// A study's cell is a run folder for every command that works on one.
@Suite(.serialized) struct StudyCellTests {
  @Test(.timeLimit(.minutes(3)))
  func `every later stage works on a cell, and nothing is trained`() throws {
    try withTemporaryFolder { folder in
      let study = "\(folder)/study"
      try Program.succeed([
        "study", "--output", study, "--dataset", "synthetic", "--members", "2,3", "--seeds", "1",
        "--epochs", "1", "--batch-size", "500", "--architecture", "784-8-10", "--method", "naive",
      ])
      let cell = "\(study)/seed-1/M-002"
      let others = try contents(of: study).filter { !$0.key.hasPrefix("seed-1/M-002/") }
      for (ranks, arguments, made) in [
        (nil, ["evaluate"], "evaluating"),
        (nil, ["merge", "--method", "c2m3"], "merging 2 members"),
        (2, ["merge", "--method", "unit-weights(epochs=1)"], "merging 2 members"),
        (2, ["distill", "--students", "2"], "1 student kept from before"), (nil, ["verify"], ""),
        (nil, ["evaluate"], "evaluating"), (nil, ["report"], ""),
      ] as [(Int?, [String], String)] {
        let outcome = try Program.succeed(
          ranks: ranks, [arguments[0], cell] + arguments.dropFirst())
        #expect(!outcome.errors.contains("training"), "\(outcome.errors)")
        if !made.isEmpty { #expect(outcome.errors.contains(made), "\(outcome.errors)") }
      }
      #expect(try contents(of: study).filter { !$0.key.hasPrefix("seed-1/M-002/") } == others)
      #expect(!FileManager.default.fileExists(atPath: "\(cell)/members"))
      let results = try #require(try RunFolder(cell).readResults())
      #expect(
        results.rows.map(\.predictor.name) == [
          "member 0", "member 1", "ensemble, mean probabilities", "ensemble, mean logits", "naive",
          "c2m3", "unit-weights(epochs=1)", "student 0", "student 1",
        ])
      #expect(results.barriers.map(\.alignment) == [nil, "c2m3"])
      #expect(FileManager.default.fileExists(atPath: "\(cell)/report.html"))

      // A path that ends in a slash, and one by way of the cell itself, lead to the same.
      for path in ["\(cell)/", "\(cell)/../M-002"] { try Program.succeed(["verify", path]) }
      // What is missing is looked for where it should be.
      try FileManager.default.moveItem(
        atPath: "\(study)/seed-1/members/001.safetensors", toPath: "\(folder)/001.safetensors")
      try Program.expectRefusal(
        4, saying: "\(study)/seed-1/members/001.safetensors: no such file",
        arguments: ["evaluate", cell], launches: [nil])
    }
  }
}
