import Foundation
import TestSupport
import Testing

@testable import Experiments

/// A small experiment with more members than some numbers of ranks, and fewer than others.
private let small = [
  "--dataset", "synthetic", "--architecture", "784-24-20-10", "--members", "4", "--epochs", "2",
  "--batch-size", "100", "--validation", "500", "--permavg-epochs", "1", "--students", "2",
  "--seed", "7",
]

@Suite(.serialized) struct RanksTests {
  @Test(.timeLimit(.minutes(5)))
  func `1, 2, 3 and 5 ranks give the same bytes`() throws {
    try withTemporaryFolder { folder in
      var first: [String: Data]?
      for ranks in [1, 2, 3, 5] {
        let run = "\(folder)/ranks-\(ranks)"
        let outcome = try Program.permavg(
          ranks: ranks, ["run", "--output", run] + small)
        try #require(outcome.status == 0, "\(outcome.errors)")
        let files = try reproducibleContents(of: run)
        #expect(
          files.keys.sorted() == [
            "experiment.json", "members/000.safetensors", "members/001.safetensors",
            "members/002.safetensors", "members/003.safetensors",
            "merged/mergemany+unit-weights+refit-head.permutations.safetensors",
            "merged/mergemany+unit-weights+refit-head.safetensors", "merged/naive.safetensors",
            "merged/permavg-hard.safetensors", "merged/permavg.permutations.safetensors",
            "merged/permavg.safetensors", "metrics.jsonl", "results.json",
            "students/000.safetensors", "students/001.safetensors",
          ])
        if let first {
          for (name, bytes) in files { #expect(bytes == first[name], "\(name) on \(ranks) ranks") }
        }
        first = first ?? files
        try checkCommunication(run, ranks: ranks)
      }
    }
  }

  /// The ledger's payload must be what the method needs, byte for byte.
  private func checkCommunication(_ run: String, ranks: Int) throws {
    let folder = RunFolder(run)
    let experiment = try folder.readExperiment()
    let command = try #require(try folder.readCommunication().commands.first)
    #expect(command.ranks == ranks && command.ledgers.count == ranks)
    func payload(_ phase: String) -> Int {
      command.phases.first { $0.name == phase }?.payloadBytes ?? 0
    }
    let network = 4 * experiment.architecture.parameterCount
    let away = (0..<experiment.members).filter { $0 % ranks != 0 }.count
    #expect(payload("gather member weights") == away * network)
    let students = (0..<experiment.students).filter { $0 % ranks != 0 }.count
    #expect(payload("gather student weights") == students * network)
    #expect(payload("broadcast teacher") == (ranks - 1) * experiment.members * network)
    let targets = 4 * 10_000 * 2 * 10
    #expect(payload("gather soft targets") == (ranks - 1) * targets)
  }

  @Test(.timeLimit(.minutes(5)))
  func `methods that sum over the training images give the same bytes on 1, 2, 3 and 5 ranks`()
    throws
  {
    try withTemporaryFolder { folder in
      let members = "\(folder)/members"
      let training = Array(small.prefix { $0 != "--permavg-epochs" }) + ["--seed", "7"]
      let outcome = try Program.permavg(ranks: 2, ["train", "--output", members] + training)
      try #require(outcome.status == 0, "\(outcome.errors)")
      var first: [String: Data]?
      for ranks in [1, 2, 3, 5] {
        let run = "\(folder)/ranks-\(ranks)"
        try FileManager.default.copyItem(atPath: members, toPath: run)
        let outcome = try Program.permavg(
          ranks: ranks,
          [
            "merge", run, "--method", "weight-matching,repair", "--method",
            "activation-matching,refit-head",
          ])
        try #require(outcome.status == 0, "\(outcome.errors)")
        let files = try reproducibleContents(of: run)
        #expect(
          files.keys.filter { $0.hasPrefix("merged/") }.sorted() == [
            "merged/activation-matching+refit-head.permutations.safetensors",
            "merged/activation-matching+refit-head.safetensors",
            "merged/weight-matching+repair.permutations.safetensors",
            "merged/weight-matching+repair.safetensors",
          ])
        if let first {
          for (name, bytes) in files { #expect(bytes == first[name], "\(name) on \(ranks) ranks") }
        }
        first = first ?? files
        try checkSharedSums(run, ranks: ranks)
      }
    }
  }

  /// The statistics' payload must be what is asked for: the networks to each rank, every shard's sums to rank 0.
  private func checkSharedSums(_ run: String, ranks: Int) throws {
    let command = try #require(
      try RunFolder(run).readCommunication().commands.first { $0.command == "merge" })
    let payload = command.phases.first { $0.name == "share statistics" }?.payloadBytes
    // 784-24-20-10, 4 members, 9500 images in ten chunks, each a shard of its own.
    let (first, second, all) = (785 * 24, 785 * 24 + 25 * 20, 785 * 24 + 25 * 20 + 21 * 10)
    let asked = [
      // Of repair: the merged network and the members, up to each hidden layer.
      (networks: 5, parameters: first, layers: 1, sums: 5 * 2 * 24),
      (networks: 5, parameters: second, layers: 2, sums: 5 * 2 * 20),
      // Of matching: all members.
      (networks: 4, parameters: first, layers: 1, sums: 4 * 2 * 24 + 3 * 24 * 24),
      (networks: 4, parameters: second, layers: 2, sums: 4 * 2 * 20 + 3 * 20 * 20),
      // Of the last layer.
      (networks: 5, parameters: all, layers: 3, sums: 21 * (21 + 10)),
    ]
    let away = (0..<10).filter { $0 % ranks != 0 }.count
    let expected = asked.reduce(0) { sum, asked in
      let header = 8 * (3 + asked.layers + 1)
      return sum + (ranks - 1) * (header + 4 * asked.networks * asked.parameters)
        + away * 8 * asked.sums
    }
    #expect(payload == expected)
  }

  @Test(arguments: [1, 3])
  func `a merge that fails after sums were shared ends on every rank`(ranks: Int) throws {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      let training = Array(small.prefix { $0 != "--permavg-epochs" }) + ["--seed", "7"]
      let trained = try Program.permavg(ranks: 2, ["train", "--output", run] + training)
      try #require(trained.status == 0, "\(trained.errors)")
      let outcome = try Program.permavg(
        ranks: ranks,
        [
          "merge", run, "--method", "activation-matching,repair,permavg", "--permavg-epochs", "1",
          "--permavg-learning-rate", "1e38",
        ])
      #expect(outcome.status == 2, "\(outcome.errors)")
      #expect(outcome.errorLines.count == 1, "\(outcome.errors)")
      #expect(outcome.errorLines.first?.contains("permavg: the loss became") == true)
    }
  }

  @Test(.timeLimit(.minutes(3)))
  func `the stages one by one give the bytes of the whole run`() throws {
    try withTemporaryFolder { folder in
      let (whole, staged) = ("\(folder)/whole", "\(folder)/staged")
      let small = Array(small.dropLast(2)) + ["--seed", "8"]
      let outcome = try Program.permavg(ranks: 2, ["run", "--output", whole] + small)
      try #require(outcome.status == 0, "\(outcome.errors)")

      // `train` knows the members' options only; the later stages bring their own.
      let training = Array(small.prefix { $0 != "--permavg-epochs" }) + ["--seed", "8"]
      for (ranks, arguments) in [
        (2, ["train", "--output", staged] + training),
        (nil, ["merge", staged, "--method", "naive"]),
        (nil, ["merge", staged, "--method", "permavg", "--permavg-epochs", "1"]),
        (nil, ["merge", staged, "--method", "mergemany,unit-weights,refit-head"]),
        (3, ["distill", staged, "--students", "2"]),
        (nil, ["evaluate", staged]),
        (nil, ["report", staged]),
      ] as [(Int?, [String])] {
        let outcome = try Program.permavg(ranks: ranks, arguments)
        try #require(outcome.status == 0, "\(arguments): \(outcome.errors)")
      }
      let (a, b) = (try reproducibleContents(of: whole), try reproducibleContents(of: staged))
      #expect(a.keys.sorted() == b.keys.sorted())
      for (name, bytes) in a { #expect(bytes == b[name], "\(name)") }
    }
  }

  @Test(.timeLimit(.minutes(3)))
  func `members that are there are kept, and missing ones are trained again to the same bytes`()
    throws
  {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      let arguments = [
        "train", "--output", run, "--dataset", "synthetic", "--architecture", "784-16-10",
        "--members", "3", "--epochs", "1",
      ]
      #expect(try Program.permavg(ranks: 2, arguments).status == 0)
      let before = try reproducibleContents(of: run)
      try FileManager.default.removeItem(atPath: "\(run)/members/001.safetensors")
      let outcome = try Program.permavg(ranks: 3, arguments)
      #expect(outcome.status == 0)
      #expect(outcome.errors.contains("2 members kept"))
      #expect(try reproducibleContents(of: run) == before)
    }
  }

  @Test(.timeLimit(.minutes(3)))
  func `training again keeps the settings of later stages, and changed ones remove what they made`()
    throws
  {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      let members = [
        "--output", run, "--dataset", "synthetic", "--architecture", "784-12-10", "--epochs", "1",
        "--members", "2",
      ]
      func permavg(_ arguments: [String]) throws {
        let outcome = try Program.permavg(arguments)
        try #require(outcome.status == 0, "\(arguments): \(outcome.errors)")
      }
      try permavg(["train"] + members)
      try permavg(["merge", run, "--permavg-epochs", "1"])
      try permavg(["distill", run, "--students", "2", "--alpha", "0.7"])
      try permavg(["train"] + members)
      let experiment = try RunFolder(run).readExperiment()
      #expect(experiment.merging.permAVG.epochs == 1 && experiment.students == 2)
      #expect(experiment.distillation.alpha == 0.7)

      try permavg(["distill", run, "--students", "1", "--alpha", "0.7"])
      #expect(!FileManager.default.fileExists(atPath: "\(run)/students/001.safetensors"))
      #expect(try RunFolder(run).readLearningLog().curves("student").map(\.index) == [0])

      try permavg(["run"] + members + ["--method", "naive", "--students", "0"])
      #expect(
        try contents(of: "\(run)/merged").keys.sorted() == ["naive.safetensors"],
        "permavg was merged with other settings")
    }
  }
}
