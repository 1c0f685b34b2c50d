import Datasets
import Foundation
import Merging
import Networks
import Tensors
import TestSupport
import Testing

@testable import Experiments

/// `permavg merge` of checkpoints from anywhere, run as a user would.
@Suite(.serialized) struct CheckpointMergeTests {
  /// The names that PyTorch's `nn.Sequential` gives to so many layers with a ReLU after each.
  private func names(layers: Int) -> [String] {
    (0..<layers).flatMap { ["\(2 * $0).weight", "\(2 * $0).bias"] }
  }

  /// Writes networks under other programs' names.
  private func write(
    _ networks: [Network], to folder: String, metadata: [[String: String]] = []
  ) throws -> [String] {
    try networks.enumerated().map { number, network in
      let path = "\(folder)/\(number).safetensors"
      var file = network.checkpoint(
        names: number == 0 ? names(layers: network.graph.tensors.count / 2) : nil)
      file.metadata = metadata.indices.contains(number) ? metadata[number] : [:]
      try file.write(to: path)
      return path
    }
  }

  /// A network and two copies of it with permuted units.
  private func copies(_ text: String) throws -> [Network] {
    let graph = try #require(Graph(text))
    let network = Network(graph, random: RandomStream(seed: 1, "test"))
    let draws = InvarianceCheck(graph, draws: 2).draws
    return [network] + draws.map { network.permuted(by: $0) }
  }

  @Test func `permuted copies of a network are merged to it, under the first one's names`() throws {
    try withTemporaryFolder { folder in
      let networks = try copies("784-20-10")
      let paths = try write(networks, to: folder)
      let output = "\(folder)/merged.safetensors"
      for ranks in [nil, 3] {
        let result = try Program.permavg(
          ranks: ranks, ["merge"] + paths + ["--method", "weight-matching", "-o", output, "--json"])
        try #require(result.status == 0, "\(result.errors)")
        let outcome = try JSONDecoder().decode(
          CheckpointMerge.Outcome.self, from: Data(result.output.utf8))
        #expect(outcome.sources == 3 && outcome.architecture == "784-20-10")
        #expect(outcome.distanceFromMean.linedUp < 1e-5)
        #expect(outcome.distanceFromMean.asTheyAre > 1)
        #expect(outcome.normalization == nil && outcome.scores.isEmpty)

        let file = try Safetensors(contentsOf: output)
        #expect(try LoadedNetwork(file, path: output).tensorNames == names(layers: 2))
        #expect(file.metadata["method"] == "weight-matching" && file.metadata["sources"] == "3")
        #expect(file.metadata["normalization"] == nil, "nobody said")
        let merged = try Network(file, path: output)
        #expect(largestDifference(merged.parameters, networks[0].parameters) < 1e-6)
        try FileManager.default.removeItem(atPath: output)
      }
    }
  }

  @Test func `without a method checkpoints are merged by MergeMany, with no data`() throws {
    try withTemporaryFolder { folder in
      let paths = try write(copies("6-5-3"), to: folder)
      let output = "\(folder)/merged.safetensors"
      let result = try Program.permavg(["merge"] + paths + ["--output", output])
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output.contains("merged by mergemany into \(output)"))
      #expect(try Safetensors(contentsOf: output).metadata["method"] == "mergemany")
    }
  }

  @Test func `methods that learn are given data, and all networks are scored`() throws {
    try withTemporaryFolder { folder in
      let normalization = ["normalization": "0.25,0.5"]
      let paths = try write(
        copies("784-8-10"), to: folder, metadata: [[:], normalization, normalization])
      let output = "\(folder)/merged.safetensors"
      let arguments =
        ["merge"] + paths + [
          "--method", "weight-matching,permavg", "--permavg-epochs", "1", "--dataset", "synthetic",
          "--batch-size", "500", "--output", output, "--json",
        ]
      let result = try Program.permavg(arguments)
      try #require(result.status == 0, "\(result.errors)")
      let outcome = try JSONDecoder().decode(
        CheckpointMerge.Outcome.self, from: Data(result.output.utf8))
      #expect(
        outcome.scores.map(\.name)
          == paths + ["ensemble, mean probabilities", "ensemble, mean logits", output])
      #expect(outcome.normalization == "0.25,0.5")
      #expect(outcome.scores[0].correct == outcome.scores[1].correct)
      let file = try Safetensors(contentsOf: output)
      #expect(file.metadata["normalization"] == "0.25,0.5")

      // The scores are those that `evaluate` gives the file.
      let evaluated = try Program.permavg([
        "evaluate", output, "--dataset", "synthetic", "--json",
      ])
      let rows = try JSONDecoder().decode(
        [CheckpointScores].self, from: Data(evaluated.output.utf8))
      #expect(rows.map(\.correct) == [outcome.scores.last?.correct])

      let first = try Data(contentsOf: URL(fileURLWithPath: output))
      let again = try Program.permavg(ranks: 2, arguments + ["--threads", "1"])
      try #require(again.status == 0, "\(again.errors)")
      #expect(try Data(contentsOf: URL(fileURLWithPath: output)) == first)
      let other = try Program.permavg(arguments + ["--seed", "2"])
      try #require(other.status == 0, "\(other.errors)")
      #expect(try Data(contentsOf: URL(fileURLWithPath: output)) != first)
    }
  }

  @Test(
    .timeLimit(.minutes(2)),
    arguments: [
      ("mergemany(restarts=3)", []), ("c2m3", []),
      ("weight-matching,unit-weights(epochs=1),refit-head", ["--dataset", "synthetic"]),
      ("activation-matching,repair,unit-weights-ensemble(epochs=1)", ["--dataset", "synthetic"]),
    ] as [(String, [String])])
  func `1, 2 and 3 ranks give the same bytes`(chain: String, data: [String]) throws {
    try withTemporaryFolder { folder in
      let graph = try #require(Graph("784-8-6-10"))
      let networks = (0..<4).map { Network(graph, random: RandomStream(seed: 3, "test", $0)) }
      let paths = try write(networks, to: folder)
      var first: (file: Data, printed: String)?
      for ranks in [nil, 2, 3] {
        let output = "\(folder)/merged.safetensors"
        let outcome = try Program.succeed(
          ranks: ranks,
          ["merge"] + paths + ["--method", chain, "--batch-size", "500", "-o", output, "--json"]
            + data)
        let result = (
          file: try Data(contentsOf: URL(fileURLWithPath: output)), printed: outcome.output
        )
        if let first {
          #expect(result.file == first.file, "on \(ranks ?? 1) ranks")
          #expect(result.printed == first.printed, "on \(ranks ?? 1) ranks")
        }
        first = first ?? result
        try FileManager.default.removeItem(atPath: output)
      }
      let outcome = try JSONDecoder().decode(
        CheckpointMerge.Outcome.self, from: Data((first?.printed ?? "").utf8))
      #expect(outcome.method == MethodChain(chain)?.name)
    }
  }

  @Test func `a merged file says by what and from what it was made`() throws {
    try withTemporaryFolder { folder in
      let networks = try copies("784-6-10")
      let paths = try write(networks, to: folder)
      let output = "\(folder)/merged.safetensors"
      func provenance(_ chain: String, _ data: [String] = []) throws -> Provenance {
        try Program.succeed(["merge"] + paths + ["--method", chain, "-o", output] + data)
        let file = try Safetensors(contentsOf: output)
        #expect(file.metadata["method"] == MethodChain(chain)?.name)
        return try #require(Provenance(file.metadata))
      }
      let plain = try provenance("mergemany(restarts=9)")
      #expect(plain.made == "mergemany(restarts=9)" && plain.data == nil)
      #expect(plain.members == Experiments.fingerprint(of: networks))
      let learned = try provenance("naive,unit-weights(epochs=1)", ["--dataset", "synthetic"])
      #expect(
        learned.made == "naive,unit-weights(epochs=1,learning-rate=0.01,schedule=cosine)")
      #expect(learned.members == plain.members && learned.architecture == "784-6-10")
      #expect(learned.data?.hasPrefix("10000 and 2000 images of 28 × 28, SHA-256 ") == true)
    }
  }

  @Test func `what cannot be merged is refused in one line, and nothing is written`() throws {
    try withTemporaryFolder { folder in
      let paths = try write(copies("784-6-10"), to: folder)
      let wide = "\(folder)/wide.safetensors"
      try copies("784-7-10")[0].checkpoint().write(to: wide)
      let broken = "\(folder)/broken.safetensors"
      var network = try copies("784-6-10")[0]
      network.parameters[3] = .nan
      try network.checkpoint().write(to: broken)
      let known = try ["0.5,0.5", "0.25,0.5"].enumerated().map { number, text in
        let path = "\(folder)/known-\(number).safetensors"
        try copies("784-6-10")[0].checkpoint(metadata: ["normalization": text]).write(to: path)
        return path
      }
      let link = "\(folder)/link.safetensors"
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: paths[1])
      let before = try contents(of: folder)

      let output = ["--output", "\(folder)/merged.safetensors"]
      func refuse(
        _ status: Int32, _ words: String..., arguments: [String],
        sourceLocation: SourceLocation = #_sourceLocation
      ) throws {
        for ranks in [nil, 2] {
          let outcome = try Program.permavg(ranks: ranks, ["merge"] + arguments)
          #expect(outcome.status == status, "\(outcome.errors)", sourceLocation: sourceLocation)
          let lines = outcome.errorLines
          #expect(lines.count == 1, "\(outcome.errors)", sourceLocation: sourceLocation)
          for word in words {
            #expect(
              lines.first?.contains(word) == true, "\(lines) should say \(word)",
              sourceLocation: sourceLocation)
          }
        }
      }
      try refuse(4, "wide.safetensors", "784-7-10", "784-6-10", arguments: paths + [wide] + output)
      try refuse(4, "broken.safetensors", "NaN", arguments: paths + [broken] + output)
      try refuse(
        4, "known-0.safetensors", "known-1.safetensors", "0.25,0.5", arguments: known + output)
      try refuse(2, "one checkpoint", arguments: [paths[0]] + output)
      try refuse(2, "one checkpoint", arguments: [paths[0]])
      try refuse(2, "--output is missing", arguments: paths)
      try refuse(2, "is one of the checkpoints", arguments: paths + ["--output", link])
      try refuse(
        2, "no folder", arguments: paths + ["--output", "\(folder)/nowhere/a.safetensors"])
      try refuse(2, "is a folder", arguments: paths + ["--output", folder])
      try refuse(4, "is a folder", arguments: paths + [folder] + output)
      try refuse(
        2, "--method weight-matching,permavg: permavg needs training data; name it with --dataset",
        arguments: paths + ["--method", "weight-matching,permavg"] + output)
      try refuse(
        2, "no method \"repare\"", "naive, weight-matching, mergemany",
        arguments: paths + ["--method", "weight-matching,repare"] + output)
      try refuse(
        2, "--method is given 2 times",
        arguments: paths + ["--method", "naive", "--method", "mergemany"] + output)
      try refuse(2, "--permavg-epochs", arguments: paths + ["--permavg-epochs", "3"] + output)
      try refuse(
        2, "permavg(temperature=0)", "0.001 to 1000000",
        arguments: paths + ["--method", "permavg(temperature=0)", "--dataset", "synthetic"] + output
      )
      try refuse(
        2, "permavg(epochs=-1)", "0 to 1000000",
        arguments: paths + ["--method", "permavg", "--permavg-epochs=-1", "--dataset", "synthetic"]
          + output)
      try refuse(2, "--dataset", arguments: paths + ["--data", folder] + output)
      try refuse(2, "run folder", arguments: [folder] + output)
      #expect(try contents(of: folder) == before)
    }
  }

  @Test func `a checkpoint that does not fit the data is refused`() throws {
    try withTemporaryFolder { folder in
      let paths = try write(copies("20-6-5"), to: folder)
      let outcome = try Program.permavg(
        ["merge"] + paths + ["--dataset", "synthetic", "-o", "\(folder)/merged.safetensors"])
      #expect(outcome.status == 4)
      #expect(outcome.errorLines.count == 1 && outcome.errors.contains("synthetic has 784 inputs"))
    }
  }

  @Test func `what is no file is refused before the merge, and left as it was`() throws {
    try withTemporaryFolder { folder in
      let paths = try write(copies("6-5-3"), to: folder)
      let pipe = "\(folder)/pipe"
      #expect(mkfifo(pipe, 0o600) == 0)
      // Only root may make devices.
      let device = "\(folder)/device"
      let isRoot = mknod(device, S_IFCHR | 0o600, 0x103) == 0
      let lost = "\(folder)/lost"
      try FileManager.default.createSymbolicLink(
        atPath: lost, withDestinationPath: "missing/merged.safetensors")
      let cases =
        [(pipe, "is a FIFO; name a regular file"), (lost, "no folder \(folder)/missing")]
        + [("/proc/merged.safetensors", "no file can be made in /proc")]
        + (isRoot ? [(device, "is a character device; name a regular file")] : [])
      let before = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      for (output, words) in cases {
        for ranks in [nil, 2] {
          // Before the work: the checkpoint that is not there is not even looked for.
          let outcome = try Program.permavg(
            ranks: ranks, ["merge"] + paths + ["\(folder)/missing.safetensors", "-o", output])
          #expect(outcome.status == 2)
          #expect(outcome.errorLines.count == 1, "\(outcome.errors)")
          let line = outcome.errorLines.first ?? ""
          #expect(line.contains("--output \(output): ") && line.contains(words), "\(line)")
        }
      }
      #expect(FileKind(at: pipe) == .fifo && FileKind(at: lost) == .symbolicLink)
      #expect(FileKind(at: device) == (isRoot ? .characterDevice : nil))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == before)
    }
  }

  @Test func `a link to a file is written through and stays`() throws {
    try withTemporaryFolder { folder in
      let paths = try write(copies("6-5-3"), to: folder)
      try FileManager.default.createDirectory(
        atPath: "\(folder)/store", withIntermediateDirectories: false)
      try FileManager.default.createSymbolicLink(
        atPath: "\(folder)/latest", withDestinationPath: "store/merged.safetensors")
      for method in ["naive", "weight-matching"] {
        let result = try Program.permavg(
          ["merge"] + paths + ["--method", method, "-o", "\(folder)/latest"])
        #expect(result.status == 0, "\(result.errors)")
        #expect(FileKind(at: "\(folder)/latest") == .symbolicLink)
        #expect(
          try FileManager.default.contentsOfDirectory(atPath: "\(folder)/store")
            == ["merged.safetensors"])
        let file = try Safetensors(contentsOf: "\(folder)/store/merged.safetensors")
        #expect(file.metadata["method"] == method)
      }
    }
  }

  @Test func `a write that fails midway leaves the old file and nothing else`() throws {
    try withTemporaryFolder { folder in
      let paths = try write(copies("784-5000-10"), to: folder)
      let output = "\(folder)/merged.safetensors"
      try ExperimentsTests.write([1, 2, 3], to: output)
      let before = try contents(of: folder)
      // The file is of 16 MB, and files may have 5 or 10, by the shell's unit; Open MPI's own have 4.
      let command = "ulimit -f 10000; trap '' XFSZ; exec \"$@\""
      let result = try Command.run(
        ["/bin/sh", "-c", command, "sh", try Program.path(), "merge"] + paths
          + ["--method", "naive", "-o", output], ranks: nil)
      #expect(result.status == 3)
      #expect(
        result.errorLines == ["error: \(output): could not be written: write: File too large"])
      #expect(try contents(of: folder) == before)
    }
  }
}
