import Foundation
import Networks
import TestSupport
import Testing

@testable import Experiments

/// `--architecture` with a family's text, with JSON and with files of it.
@Suite(.serialized) struct ArchitectureTests {
  /// A network that no family makes: W h + h inside, so that one group of units numbers both axes of a tensor.
  private let graph = """

    {"input": [784], "nodes": [
      {"name": "head", "layer": "dense(10)", "inputs": ["sum"]},
      {"name": "stem", "layer": "dense(12)", "inputs": ["input"]},
      {"name": "act", "layer": "relu", "inputs": ["stem"]},
      {"name": "inner.up", "layer": "dense(12)", "inputs": ["act"]},
      {"name": "sum", "layer": "add", "inputs": ["act", "inner.up"]}
    ]}
    """

  private let settings = [
    "--dataset", "synthetic", "--members", "2", "--epochs", "1", "--batch-size", "500",
  ]

  @Test(.timeLimit(.minutes(2)))
  func `a graph out of a file is trained, merged, distilled and evaluated`() throws {
    try withTemporaryFolder { folder in
      let file = "\(folder)/graph.json"
      try write(Array(graph.utf8), to: file)
      var first: [String: Data]?
      for ranks in [nil, 2] {
        let run = "\(folder)/ranks-\(ranks ?? 1)"
        try Program.succeed(
          ranks: ranks,
          [
            "run", "--output", run, "--architecture", file, "--method", "weight-matching,repair",
            "--method", "activation-matching,unit-weights(epochs=1),least-squares", "--method",
            "permavg(epochs=1)", "--method", "c2m3",
          ] + settings)
        let files = try reproducibleContents(of: run)
        if let first {
          for (name, bytes) in first { #expect(files[name] == bytes, "\(name)") }
        }
        first = first ?? files
      }
      let run = "\(folder)/ranks-1"
      let there = try RunFolder(run).readExperiment().architecture
      #expect(there == (try Graph(parsing: graph.trimmingCharacters(in: .whitespacesAndNewlines))))
      #expect(there.symmetry.groups.map(\.count) == [12])
      let results = try #require(try RunFolder(run).readResults())
      #expect(results.rows.count == 2 + 2 + 5 + 1)
      #expect(results.rows(.merged).allSatisfy { $0.test.nll.isFinite })
      let names = there.tensorNames
      #expect(names.contains("inner.up.weight"))
      #expect(
        try Safetensors(contentsOf: "\(run)/members/000.safetensors").tensors.map(\.name) == names)

      // The file it comes from is needed no more, and its own text is as good.
      try FileManager.default.removeItem(atPath: file)
      try Program.succeed(["verify", run])
      let again = try Program.succeed(
        ["train", "--output", run, "--architecture", there.description] + settings)
      #expect(again.errors.contains("2 members kept from before"))

      let paths = [0, 1].map { "\(run)/members/00\($0).safetensors" }
      let merged = "\(folder)/merged.safetensors"
      try Program.succeed(["merge"] + paths + ["--method", "mergemany", "--output", merged])
      let outcome = try Program.succeed(["evaluate", merged, "--dataset", "synthetic", "--json"])
      let rows = try JSONDecoder().decode([CheckpointScores].self, from: Data(outcome.output.utf8))
      #expect(rows.map(\.architecture) == [there.description])
    }
  }

  @Test(arguments: [
    (
      #"{"input":[784],"nodes":[{"name":"a","layer":"dense(10)","inputs":["b"]},"#
        + #"{"name":"b","layer":"relu","inputs":["a"]}]}"#,
      #"node "a": reads its own value by way of "a", "b""#
    ),
    (
      #"{"input":[784],"nodes":[{"name":"conv","layer":"conv(3)","inputs":["input"]}]}"#,
      #"node "conv": there is no layer "conv(3)"; there are dense(outputs), relu, add, layernorm"#
    ),
    (
      #"{"input":[784],"nodes":[{"name":"a","layer":"dense(10)","inputs":["stem"]}]}"#,
      #"node "a": reads "stem", and there is no such node"#
    ),
    (
      #"{"input":[784],"nodes":[{"name":"a","layer":"dense(0)","inputs":["input"]}]}"#,
      #"node "a": dense(0) has 0 outputs"#
    ),
    (
      #"{"input":[784],"nodes":[{"name":"a","layer":"dense(9)","inputs":["input"]},"#
        + #"{"name":"b","layer":"dense(10)","inputs":["input"]}]}"#,
      #"node "a": nobody reads its value"#
    ),
    (
      #"{"input":[784],"nodes":[{"name":"a","layer":"dense(9)","inputs":["input"]},"#
        + #"{"name":"a","layer":"dense(10)","inputs":["input"]}]}"#,
      #"node "a": there are two nodes of this name"#
    ),
    (
      #"{"input":[784],"nodes":[{"name":"b","layer":"dense(10)","inputs":["input"]},"#
        + #"{"name":"a","inputs":["b"]}]}"#, "nodes.1.layer"
    ), (#"{"input":[784],"nodes":[]}"#, "the graph has no nodes"),
    (#"{"input":[-1],"nodes":[{"name":"a","layer":"relu","inputs":["input"]}]}"#, "shape [-1]"),
    (#"{"input":[784]}"#, "is no graph"), ("784-10\n784-9-10\n", "is no graph"),
    ("", "is no graph"),
    ("{", "is no graph"),
  ])
  func `a graph that is none is refused by its node`(text: String, words: String) throws {
    try withTemporaryFolder { folder in
      let file = "\(folder)/graph.json"
      try write(Array(text.utf8), to: file)
      try Program.expectRefusal(
        2, saying: "--architecture", file, words,
        arguments: ["train", "--output", "\(folder)/run", "--architecture", file] + settings,
        launches: [nil])
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/run"))
    }
  }

  @Test(arguments: [
    ("nowhere.json", "nowhere.json: could not be read"),
    ("residual:784-16x2", "expected residual:INPUTS-WIDTHxBLOCKS-OUTPUTS"),
    ("resnet:784-10", "is no architecture; there are lenet5 ("),
    ("784-10-", "is no architecture; there are lenet5 ("),
    (#"{"input":[784],"nodes":[{"name":"a","layer":"mean","inputs":["input"]}]}"#, #"node "a""#),
    ("residual:100-16x2-10", "784"), ("residual:784-16x2-9", "10 classes"),
  ])
  func `a text that is no network is refused`(architecture: String, words: String) throws {
    try withTemporaryFolder { folder in
      try Program.expectRefusal(
        2, saying: "--architecture", words,
        arguments: ["train", "--output", "\(folder)/run", "--architecture", architecture]
          + settings, launches: [nil, 2])
    }
  }

  @Test(.timeLimit(.minutes(2)))
  func
    `convolutional members run on ranks, and what cannot merge them is refused before they train`()
    throws
  {
    try withTemporaryFolder { folder in
      let common = [
        "--dataset", "synthetic", "--members", "2", "--epochs", "1", "--shards", "iid",
        "--shard-size", "100", "--batch-size", "50", "--students", "0",
      ]
      var files: [[String: Data]] = []
      for (ranks, architecture) in [(1, "lenet5"), (2, "lenet5"), (1, "resnet8"), (3, "resnet8")] {
        let run = "\(folder)/\(architecture)-\(ranks)"
        // The recipe's own methods for what the network has.
        if architecture == "lenet5" {
          try Program.succeed(
            ranks: ranks, ["run", "--output", run, "--architecture", architecture] + common)
          let results = try #require(try RunFolder(run).readResults())
          #expect(results.barriers.count == 3 && results.lines.map(\.points.count) == [13, 13, 13])
          for line in results.lines {
            #expect(line.points.allSatisfy { $0.test.loss.isFinite && $0.test.loss > 0 })
          }
          #expect(results.barriers[0].barycentre.value != results.barriers[1].barycentre.value)
        } else {
          try Program.succeed(
            ranks: ranks,
            ["train", "--output", run, "--architecture", architecture] + common.dropLast(2))
          try Program.succeed(ranks: ranks, ["merge", run])
        }
        files.append(try contents(of: "\(run)/members"))
        files.append(try contents(of: "\(run)/merged"))
        // Two members; three merged networks, and how the members of two were lined up.
        #expect(files.suffix(2).map(\.count) == [2, 5])
      }
      for place in [0, 1, 4, 5] { #expect(files[place] == files[place + 2]) }
      for (command, option) in [("run", "naive,reset"), ("study", "mergemany,reset")] {
        try Program.expectRefusal(
          2, saying: "--method \(option)", "no batch normalisation",
          arguments: [
            command, "--output", "\(folder)/\(command)", "--architecture", "lenet5", "--method",
            option,
          ] + common, launches: [nil])
        #expect(!FileManager.default.fileExists(atPath: "\(folder)/\(command)/members"))
      }
    }
  }
}
