import Foundation
import Merging
import Networks
import Tensors
import TestSupport
import Testing

@testable import Experiments

/// `permavg verify`, run as a user would.
@Suite(.serialized) struct VerifyTests {
  @Test func `checkpoints under their own names are verified, and their spec is shown`() throws {
    try withTemporaryFolder { folder in
      let graph = try #require(Graph("6-5-4-3"))
      let names = ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"]
      let paths = try (0..<2).map { number in
        let path = "\(folder)/\(number).safetensors"
        try Network(graph, random: RandomStream(seed: 1, "test", number))
          .checkpoint(names: names).write(to: path)
        return path
      }
      let text = try Program.permavg(["verify"] + paths)
      #expect(text.status == 0, "\(text.errors)")
      #expect(
        text.output.contains(
          "P0 of 5 units: axis 0 of 0.weight [5 × 6], axis 0 of 0.bias [5], axis 1 of 2.weight [4 × 5]"
        ))
      #expect(text.output.contains("P1 of 4 units: axis 0 of 2.weight [4 × 5], axis 0 of 2.bias"))

      let json = try Program.permavg(ranks: 2, ["verify", "--json", "--draws", "5"] + paths)
      #expect(json.status == 0, "\(json.errors)")
      let outcome = try JSONDecoder().decode(
        Verification.Outcome.self, from: Data(json.output.utf8))
      #expect(outcome.specs.count == 1 && outcome.rows.map(\.name) == paths)
      #expect(outcome.specs[0].permutations.map(\.units) == [5, 4])
      #expect(outcome.rows.allSatisfy { $0.relative < 1e-5 && $0.largestLogit > 0 })
      #expect(outcome.rows.contains { $0.difference > 0 }, "nothing was permuted")
    }
  }

  @Test func `a run folder's networks and the permutations it holds are verified`() throws {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      for arguments in [
        [
          "train", "--dataset", "synthetic", "--architecture", "784-8-6-10", "--epochs", "1",
          "--members", "2", "--output", run,
        ], ["merge", run, "--method", "naive", "--method", "weight-matching"],
      ] {
        let outcome = try Program.permavg(arguments)
        try #require(outcome.status == 0, "\(outcome.errors)")
      }
      func rows() throws -> (status: Int32, rows: [Verification.Row]) {
        let result = try Program.permavg(["verify", run, "--json"])
        return (
          result.status,
          try JSONDecoder().decode(Verification.Outcome.self, from: Data(result.output.utf8)).rows
        )
      }
      let (status, good) = try rows()
      #expect(status == 0)
      #expect(
        good.map { $0.name.replacing("\(run)/", with: "") } == [
          "members/000.safetensors", "members/001.safetensors", "merged/naive.safetensors",
          "merged/weight-matching.safetensors", "members",
        ])
      #expect(good.last?.permutations == "weight-matching")
    }
  }

  @Test func `a residual network's stream is one group in every tensor that touches it`() throws {
    try withTemporaryFolder { folder in
      let graph = try #require(Graph("residual:7-6x1-4"))
      let path = "\(folder)/a.safetensors"
      try Network(graph, random: RandomStream(seed: 1, "test")).checkpoint().write(to: path)
      let text = try Program.succeed(["verify", path, "--draws", "5"]).output
      for line in [
        "residual:7-6x1-4: 2 permutations",
        "P0 of 6 units: axis 0 of stem.weight [6 × 7], axis 0 of stem.bias [6], axis 0 of"
          + " blocks.0.norm.weight [6], axis 0 of blocks.0.norm.bias [6], axis 1 of"
          + " blocks.0.up.weight [6 × 6], axis 0 of blocks.0.down.weight [6 × 6], axis 0 of"
          + " blocks.0.down.bias [6], axis 0 of norm.weight [6], axis 0 of norm.bias [6], axis 1 of"
          + " head.weight [4 × 6]",
        "P1 of 6 units: axis 0 of blocks.0.up.weight [6 × 6], axis 0 of blocks.0.up.bias [6], axis 1"
          + " of blocks.0.down.weight [6 × 6]",
      ] {
        #expect(text.contains(line), "\(text)")
      }
    }
  }

  @Test func `a network whose logits depend on the order of its units is refused`() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/a.safetensors"
      let graph = try #require(Graph("1-4-1"))
      // 1e8 − 1e8 + 1 − 1 in 32-bit floats is another number in another order.
      let network = Network(
        graph, parameters: [0, 0, 0, 0, 1, 1, 1, 1, 1e8, -1e8, 1, -1, 0.5])
      try network.checkpoint().write(to: path)
      let outcome = try Program.permavg(["verify", path, "--draws", "20"])
      #expect(outcome.status == 4)
      #expect(outcome.errorLines.count == 1 && outcome.errors.contains("a.safetensors: permuting"))
      #expect(outcome.output.contains("at random, 20 ×"), "the table comes all the same")
    }
  }

  @Test func `what cannot be verified is refused in one line`() throws {
    try withTemporaryFolder { folder in
      for (status, arguments) in [
        (3, [folder]), (4, ["\(folder)/none.safetensors"]), (2, ["x", "--draws", "0"]),
      ] as [(Int32, [String])] {
        for ranks in [nil, 2] {
          let outcome = try Program.permavg(ranks: ranks, ["verify"] + arguments)
          #expect(outcome.status == status, "\(outcome.errors)")
          #expect(outcome.errorLines.count == 1, "\(outcome.errors)")
        }
      }
    }
  }
}
