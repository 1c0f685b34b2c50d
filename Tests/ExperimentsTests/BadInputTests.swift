import Datasets
import Foundation
import Networks
import TestSupport
import Testing

@testable import Experiments

/// What a user gets wrong, with the words and the status that tell.
@Suite(.serialized) struct BadInputTests {
  /// Runs the program alone and under mpirun; both must say one line and leave with the status.
  private func expectRefusal(
    _ status: Int32, saying words: String..., arguments: [String],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    for ranks in [nil, 3] {
      let outcome = try Program.permavg(ranks: ranks, arguments)
      #expect(outcome.status == status, "\(outcome.errors)", sourceLocation: sourceLocation)
      let lines =
        ranks == nil
        ? outcome.errors.split(separator: "\n").map(String.init).filter { !$0.hasSuffix("…") }
        : outcome.errorLines
      #expect(lines.count == 1, "\(outcome.errors)", sourceLocation: sourceLocation)
      for word in words {
        #expect(
          lines.first?.contains(word) == true, "\(lines) should say \(word)",
          sourceLocation: sourceLocation)
      }
      for noise in ["Fatal error", "Stack dump", "Backtrace", "0x"] {
        #expect(!outcome.errors.contains(noise), sourceLocation: sourceLocation)
      }
    }
  }

  @Test func `a missing data folder names the package and the option`() throws {
    try withTemporaryFolder { folder in
      try expectRefusal(
        3, saying: "/nowhere", "dataset-fashion-mnist", "--data",
        arguments: ["run", "--output", "\(folder)/run", "--data", "/nowhere"])
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/run"))
    }
  }

  @Test func `MNIST has no usual folder`() throws {
    try withTemporaryFolder { folder in
      try expectRefusal(
        3, saying: "--data DIR",
        arguments: ["train", "--dataset", "mnist", "--output", "\(folder)/run"])
    }
  }

  @Test func `no members are refused`() throws {
    try withTemporaryFolder { folder in
      try expectRefusal(
        2, saying: "--members 0", "expected 1 to",
        arguments: ["run", "--members", "0", "--output", "\(folder)/run"])
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/run"))
    }
  }

  @Test func `a network that does not fit the data is refused`() throws {
    try withTemporaryFolder { folder in
      try expectRefusal(
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
    try expectRefusal(
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
      try expectRefusal(
        2, saying: "another experiment", "seed: 1 there, 9 here",
        arguments: arguments + ["--seed", "9"])
      #expect(try contents(of: run) == before)
    }
  }

  @Test func `a folder with other things is refused and left as it was`() throws {
    try withTemporaryFolder { folder in
      try write([1, 2, 3], to: "\(folder)/holiday.jpg")
      try expectRefusal(
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
      let other = try #require(Architecture("784-9-10"))
      try Network(other, random: RandomStream(seed: 1, "test")).checkpoint()
        .write(to: "\(run)/members/001.safetensors")
      let before = try contents(of: run)
      try expectRefusal(
        4, saying: "001.safetensors", "784-9-10", "784-8-10", arguments: ["merge", run])
      #expect(try contents(of: run).keys.sorted() == before.keys.sorted())
    }
  }

  @Test func `a checkpoint that lies is refused`() throws {
    try withTemporaryFolder { folder in
      try write(
        [255, 255, 255, 255, 255, 255, 255, 127, 0x7B, 0x7D], to: "\(folder)/a.safetensors")
      try expectRefusal(
        4, saying: "a.safetensors", "header", arguments: ["evaluate", "\(folder)/a.safetensors"])
      try expectRefusal(
        4, saying: "b.safetensors", "no such file",
        arguments: ["evaluate", "\(folder)/b.safetensors"])
    }
  }

  @Test func `a checkpoint that does not fit the data is refused`() throws {
    try withTemporaryFolder { folder in
      let architecture = try #require(Architecture("20-5"))
      try Network(architecture, random: RandomStream(seed: 1, "test")).checkpoint()
        .write(to: "\(folder)/a.safetensors")
      try expectRefusal(
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
      try expectRefusal(
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
      try expectRefusal(3, saying: "results.json", "permavg evaluate", arguments: ["report", run])
    }
  }

  @Test(arguments: [
    ["--batch-size", "9223372036854775807"], ["--epochs", "9223372036854775807"],
    ["--students", "100001"], ["--members", "9223372036854775807"],
    ["--permavg-epochs", "9223372036854775807"], ["--sinkhorn-temperature", "1e-40"],
    ["--architecture", "784-16777216-16777216-10"],
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

  @Test func `an empty name of a folder is refused`() throws {
    try expectRefusal(
      2, saying: "empty name", arguments: ["train", "--dataset", "synthetic", "--output", ""])
  }

  @Test func `checkpoints whose logits would share a file are refused`() throws {
    try withTemporaryFolder { folder in
      try expectRefusal(
        2, saying: "000.logits.safetensors",
        arguments: [
          "evaluate", "a/000.safetensors", "b/000.safetensors", "--logits", folder,
        ])
      try expectRefusal(
        2, saying: "nowhere", arguments: ["evaluate", "a.safetensors", "--logits", "nowhere"])
    }
  }

  @Test func `weights so huge that predictions are not numbers are refused`() throws {
    try withTemporaryFolder { folder in
      let architecture = try #require(Architecture("784-8-10"))
      let network = Network(
        architecture,
        parameters: (0..<architecture.parameterCount).map { $0.isMultiple(of: 2) ? 3e38 : -3e38 })
      try network.checkpoint().write(to: "\(folder)/a.safetensors")
      try expectRefusal(
        4, saying: "a.safetensors", "not numbers",
        arguments: ["evaluate", "\(folder)/a.safetensors", "--dataset", "synthetic"])
    }
  }

  @Test func `options for checkpoints are refused for a run folder`() throws {
    try withTemporaryFolder { folder in
      try expectRefusal(
        2, saying: "run folder", arguments: ["evaluate", folder, "--dataset", "synthetic"])
    }
  }

  @Test func `settings of a method that is not run are refused`() throws {
    try expectRefusal(
      2, saying: "--method",
      arguments: ["merge", "x", "--method", "naive", "--permavg-epochs", "9"])
  }
}
