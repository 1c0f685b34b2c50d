import Datasets
import Foundation
import Networks
import Tensors
import TestSupport
import Testing

@testable import Experiments

/// What a user gets wrong, with the words and the status that tell.
@Suite(.serialized) struct BadInputTests {
  @Test func `a missing data folder names the package and the option`() throws {
    try withTemporaryFolder { folder in
      try Program.expectRefusal(
        3, saying: "/nowhere", "dataset-fashion-mnist", "--data",
        arguments: ["run", "--output", "\(folder)/run", "--data", "/nowhere"])
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/run"))
    }
  }

  @Test func `MNIST has no usual folder`() throws {
    try withTemporaryFolder { folder in
      try Program.expectRefusal(
        3, saying: "--data DIR",
        arguments: ["train", "--dataset", "mnist", "--output", "\(folder)/run"])
    }
  }

  @Test func `no members are refused`() throws {
    try withTemporaryFolder { folder in
      try Program.expectRefusal(
        2, saying: "--members 0", "expected 1 to",
        arguments: ["run", "--members", "0", "--output", "\(folder)/run"])
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/run"))
    }
  }

  @Test func `a network that does not fit the data is refused`() throws {
    try withTemporaryFolder { folder in
      try Program.expectRefusal(
        2, saying: "--architecture 100-10", "784",
        arguments: [
          "train", "--dataset", "synthetic", "--architecture", "100-10", "--output",
          "\(folder)/run",
        ])
    }
  }

  @Test(arguments: [
    ["run", "--members", "", "--output", "x"], ["run", "--architecture", "784", "--output", "x"],
    ["merge", "x", "--method", "nonsense"], ["run"], ["nonsense"],
  ])
  func `words that make no sense are usage errors, said once`(arguments: [String]) throws {
    for ranks in [nil, 3] {
      let outcome = try Program.permavg(ranks: ranks, arguments)
      #expect(outcome.status == 2)
      #expect(outcome.errorLines.count == 1, "\(outcome.errors)")
    }
  }

  @Test func `a folder that is not there is refused`() throws {
    try Program.expectRefusal(
      3, saying: "nowhere/run", "no such run folder", arguments: ["merge", "nowhere/run"])
  }

  @Test func `a folder with another experiment is refused and left as it was`() throws {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      let arguments = [
        "train", "--dataset", "synthetic", "--architecture", "784-8-10", "--epochs", "1",
        "--members", "2", "--output", run,
      ]
      #expect(try Program.permavg(arguments).status == 0)
      let before = try contents(of: run)
      try Program.expectRefusal(
        2, saying: "another experiment", "seed: 1 there, 9 here",
        arguments: arguments + ["--seed", "9"])
      #expect(try contents(of: run) == before)
    }
  }

  @Test func `a folder with other things is refused and left as it was`() throws {
    try withTemporaryFolder { folder in
      try write([1, 2, 3], to: "\(folder)/holiday.jpg")
      try Program.expectRefusal(
        2, saying: "holiday.jpg",
        arguments: ["train", "--dataset", "synthetic", "--output", folder])
      #expect(try contents(of: folder).keys.sorted() == ["holiday.jpg"])
    }
  }

  @Test func `a member of another architecture is refused`() throws {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      #expect(
        try Program.permavg([
          "train", "--dataset", "synthetic", "--architecture", "784-8-10", "--epochs", "1",
          "--members", "2", "--output", run,
        ]).status == 0)
      let other = try #require(Graph("784-9-10"))
      try Network(other, random: RandomStream(seed: 1, "test")).checkpoint()
        .write(to: "\(run)/members/001.safetensors")
      let before = try contents(of: run)
      try Program.expectRefusal(
        4, saying: "001.safetensors", "784-9-10", "784-8-10", arguments: ["merge", run])
      #expect(try contents(of: run).keys.sorted() == before.keys.sorted())
    }
  }

  @Test func `a checkpoint that lies is refused`() throws {
    try withTemporaryFolder { folder in
      try write(
        [255, 255, 255, 255, 255, 255, 255, 127, 0x7B, 0x7D], to: "\(folder)/a.safetensors")
      try Program.expectRefusal(
        4, saying: "a.safetensors", "header", arguments: ["evaluate", "\(folder)/a.safetensors"])
      try Program.expectRefusal(
        4, saying: "b.safetensors", "no such file",
        arguments: ["evaluate", "\(folder)/b.safetensors"])
    }
  }

  @Test func `a checkpoint that does not fit the data is refused`() throws {
    try withTemporaryFolder { folder in
      let graph = try #require(Graph("20-5"))
      try Network(graph, random: RandomStream(seed: 1, "test")).checkpoint()
        .write(to: "\(folder)/a.safetensors")
      try Program.expectRefusal(
        4, saying: "a.safetensors", "20-5", "784",
        arguments: ["evaluate", "\(folder)/a.safetensors", "--dataset", "synthetic"])
    }
  }

  @Test func `a truncated data file is refused`() throws {
    try withTemporaryFolder { folder in
      let source = try #require(DatasetName.fashionMNIST.defaultFolder)
      for name in try FileManager.default.contentsOfDirectory(atPath: source) {
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(source)/\(name)"))
        let isCut = name.hasPrefix("t10k-images")
        try write([UInt8](isCut ? data.prefix(data.count / 2) : data), to: "\(folder)/\(name)")
      }
      try Program.expectRefusal(
        3, saying: "t10k-images", "fetch it again",
        arguments: ["run", "--data", folder, "--output", "\(folder)/run"])
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/run"))
    }
  }

  @Test func `a report before an evaluation is refused`() throws {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      #expect(
        try Program.permavg([
          "train", "--dataset", "synthetic", "--architecture", "784-8-10", "--epochs", "1",
          "--members", "1", "--output", run,
        ]).status == 0)
      try Program.expectRefusal(
        3, saying: "results.json", "permavg evaluate", arguments: ["report", run])
    }
  }

  @Test(arguments: [
    ["--batch-size", "9223372036854775807"], ["--epochs", "9223372036854775807"],
    ["--students", "100001"], ["--members", "9223372036854775807"],
    ["--architecture", "784-16777216-16777216-10"],
    ["--architecture", "residual:784-16777216x9-10"],
    ["--method", "permavg(epochs=9223372036854775807)"],
    ["--method", "permavg(temperature=1e-40)"],
    ["--method", "mergemany(restarts=9223372036854775808)"],
  ])
  func `absurd sizes are refused before anything is made`(option: [String]) throws {
    try withTemporaryFolder { folder in
      let outcome = try Program.permavg(
        ["run", "--dataset", "synthetic", "--output", "\(folder)/run"] + option)
      #expect(outcome.status == 2)
      #expect(outcome.errorLines.count == 1 && outcome.errors.contains(option[0]))
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/run"))
    }
  }

  @Test(arguments: [
    ("--permavg-epochs", "permavg(epochs=9223372036854775807): expected 0 to 1000000"),
    ("--learning-epochs", "unit-weights(epochs=9223372036854775807): expected 0 to 1000000"),
  ])
  func `a default that is out of range for a method is refused before anything is made`(
    option: String, words: String
  ) throws {
    try withTemporaryFolder { folder in
      try Program.expectRefusal(
        2, saying: words,
        arguments: [
          "run", "--dataset", "synthetic", "--output", "\(folder)/run", option,
          "9223372036854775807",
        ])
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/run"))
    }
  }

  @Test(
    arguments: [
      // What a method has, and how far each setting goes.
      (
        "mergemany(restart=9)",
        ["mergemany has no setting \"restart\"; it has restarts (1 to 100000)"]
      ),
      (
        "naive,permavg(tau=1)",
        [
          "permavg has no setting \"tau\"", "epochs (0 to 1000000)",
          "learning-rate (a number above 0)",
          "schedule (constant, cosine, thesis)", "temperature (0.001 to 1000000)",
          "iterations (1 to 1000000)", "aligned-share (above 0 and below 1)",
          "unit-rate (a number above 0, or none)", "final-temperature (0.001 to 1000000, or none)",
          "dirichlet (0.001 to 1000000, or none)",
        ]
      ), ("naive(epochs=1)", ["naive has no setting \"epochs\"; it has none"]),
      ("mergemany(restarts=0)", ["mergemany(restarts=0): expected 1 to 100000"]),
      ("permavg(temperature=0)", ["permavg(temperature=0): expected 0.001 to 1000000"]),
      ("permavg(learning-rate=nan)", ["permavg(learning-rate=nan): expected a number above 0"]),
      ("unit-weights(epochs=1.5)", ["unit-weights(epochs=1.5): expected 0 to 1000000"]),
      ("fine-tune(momentum=1)", ["fine-tune(momentum=1): expected from 0 to below 1"]),
      ("unit-weights(schedule=fast)", ["expected constant, cosine, thesis"]),
      ("mergemany(restarts)", ["\"restarts\" is no setting", "mergemany(setting=value)"]),
      ("mergemany(restarts=9", ["a bracket is not closed"]),
      ("naive,repare", ["no method \"repare\"", "naive, weight-matching, mergemany"]),
      ("naive,", ["no method \"\""]),
    ] as [(String, [String])])
  func `a chain that is none is explained`(chain: String, words: [String]) throws {
    let outcome = try Program.permavg(["run", "--output", "nowhere", "--method", chain])
    #expect(outcome.status == 2)
    #expect(outcome.errorLines.count == 1, "\(outcome.errors)")
    for word in words { #expect(outcome.errorLines[0].contains(word), "\(outcome.errors)") }
    #expect(!FileManager.default.fileExists(atPath: "nowhere"))
  }

  @Test func `an empty name of a folder is refused`() throws {
    try Program.expectRefusal(
      2, saying: "empty name", arguments: ["train", "--dataset", "synthetic", "--output", ""])
  }

  @Test func `checkpoints whose logits would share a file are refused`() throws {
    try withTemporaryFolder { folder in
      try Program.expectRefusal(
        2, saying: "000.logits.safetensors",
        arguments: [
          "evaluate", "a/000.safetensors", "b/000.safetensors", "--logits", folder,
        ])
      try Program.expectRefusal(
        2, saying: "nowhere", arguments: ["evaluate", "a.safetensors", "--logits", "nowhere"])
    }
  }

  @Test func `weights so huge that predictions are not numbers are refused`() throws {
    try withTemporaryFolder { folder in
      let graph = try #require(Graph("784-8-10"))
      let network = Network(
        graph,
        parameters: (0..<graph.parameterCount).map { $0.isMultiple(of: 2) ? 3e38 : -3e38 })
      try network.checkpoint().write(to: "\(folder)/a.safetensors")
      try Program.expectRefusal(
        4, saying: "a.safetensors", "not numbers",
        arguments: ["evaluate", "\(folder)/a.safetensors", "--dataset", "synthetic"])
    }
  }

  @Test func `options for checkpoints are refused for a run folder`() throws {
    try withTemporaryFolder { folder in
      try Program.expectRefusal(
        2, saying: "run folder", arguments: ["evaluate", folder, "--dataset", "synthetic"])
    }
  }
}
