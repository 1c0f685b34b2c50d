import Foundation
import Networks
import TestSupport
import Testing

@testable import Experiments

/// A small experiment with more members than some numbers of ranks, and fewer than others.
private let small = [
  "--dataset", "synthetic", "--architecture", "784-24-20-10", "--members", "4", "--epochs", "2",
  "--batch-size", "100", "--validation", "500", "--seed", "7",
]

/// Its hidden units, all layers together.
private let units = 24 + 20

/// Its training images that are learned from lie in ten chunks, each a shard of its own.
private let shards = 10

@Suite(.serialized) struct RanksTests {
  private let learning = ["--permavg-epochs", "1", "--learning-epochs", "1"]

  @Test(.timeLimit(.minutes(5)))
  func `1, 2, 3 and 5 ranks give the same bytes`() throws {
    try withTemporaryFolder { folder in
      var first: [String: Data]?
      for ranks in [1, 2, 3, 5] {
        let run = "\(folder)/ranks-\(ranks)"
        try Program.succeed(
          ranks: ranks, ["run", "--output", run, "--students", "2"] + learning + small)
        let files = try reproducibleContents(of: run)
        let refitted = "merged/mergemany+unit-weights(epochs=1)+refit-head"
        #expect(
          files.keys.sorted() == [
            "experiment.json", "members/000.safetensors", "members/001.safetensors",
            "members/002.safetensors", "members/003.safetensors",
            "\(refitted).permutations.safetensors", "\(refitted).safetensors",
            "merged/naive.safetensors", "merged/permavg(epochs=1)-hard.safetensors",
            "merged/permavg(epochs=1).permutations.safetensors",
            "merged/permavg(epochs=1).safetensors", "metrics.jsonl", "results.json",
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
    let traffic = Traffic(ranks: ranks)
    let network = 4 * experiment.architecture.parameterCount
    // 9500 images in batches of 100, each one part of at most 256, for one epoch.
    let steps = 95
    let (layers, rows, columns) = (3, 24 + 20 + 10, 24 + 20)
    command.expectPayloads(
      [
        "broadcast data": dataPayload(traffic),
        "gather member weights": traffic.away(experiment.members) * network,
        "gather student weights": traffic.away(experiment.students) * network,
        // Once, for merging and for the students.
        "broadcast members": traffic.broadcast(experiment.members * network),
        "gather soft targets": traffic.map(parts: 10, bytes: 4 * 10_000 * 2 * 10),
        // Of four restarts: how good it is, whether by the alignment of every member.
        "share assignments": traffic.map(
          parts: 4, bytes: 4 * 8 * (1 + experiment.members * units)),
        // The loss in two floats and the correct answers lie behind each gradient.
        "share gradients": steps * traffic.map(parts: 1, bytes: network + 3 * 4),
        "share means": (steps + 1) * traffic.map(parts: layers, bytes: network),
        "share gradients of unit weights": steps
          * traffic.map(parts: layers, bytes: 4 * experiment.members * (rows + columns)),
        // Of the last layer's least squares.
        "share statistics": traffic.sum(parts: shards, of: 21 * (21 + 10)),
      ], besides: ["gather member curves", "gather student curves"])
  }

  /// 12,000 images of 28 × 28 with a label each, and what they are, in two parts.
  private func dataPayload(_ traffic: Traffic) -> Int {
    let names = "synthetic train".utf8.count + "synthetic test".utf8.count
    return traffic.broadcast(12_000 * (28 * 28 + 1) + 2 * 4 * 8 + names)
  }

  @Test(.timeLimit(.minutes(5)))
  func `methods that sum over the training images give the same bytes on 1, 2, 3 and 5 ranks`()
    throws
  {
    try withTemporaryFolder { folder in
      let members = "\(folder)/members"
      try Program.succeed(ranks: 2, ["train", "--output", members] + small)
      var first: [String: Data]?
      for ranks in [1, 2, 3, 5] {
        let run = "\(folder)/ranks-\(ranks)"
        try FileManager.default.copyItem(atPath: members, toPath: run)
        try Program.succeed(
          ranks: ranks,
          [
            "merge", run, "--method", "weight-matching,repair", "--method",
            "activation-matching,refit-head", "--method", "c2m3,rescale",
          ])
        let files = try reproducibleContents(of: run)
        #expect(
          try mergedNames(of: run) == [
            "activation-matching+refit-head", "activation-matching+refit-head.permutations",
            "c2m3+rescale", "c2m3+rescale.permutations", "weight-matching+repair",
            "weight-matching+repair.permutations",
          ])
        if let first {
          for (name, bytes) in files { #expect(bytes == first[name], "\(name) on \(ranks) ranks") }
        }
        first = first ?? files
        try checkSharedSums(run, ranks: ranks)
      }
    }
  }

  /// The statistics' payload must be what is asked for: every shard's sums to rank 0 and the total back, and no networks but
  /// the members, and the merge that rank 0 made alone.
  private func checkSharedSums(_ run: String, ranks: Int) throws {
    let command = try #require(
      try RunFolder(run).readCommunication().commands.first { $0.command == "merge" })
    let traffic = Traffic(ranks: ranks)
    let network = 4 * (785 * 24 + 25 * 20 + 21 * 10)
    let sums = [
      // Of repair and of rescale: the merged network and the four members, in each hidden layer, and once the first is corrected
      // the network's second again.
      5 * 2 * (24 + 20), 2 * 20, 5 * 2 * (24 + 20), 2 * 20,
      // Of matching: all members, and the products of the first with the others.
      4 * 2 * 24 + 3 * 24 * 24, 4 * 2 * 20 + 3 * 20 * 20,
      // Of the last layer.
      21 * (21 + 10),
    ]
    command.expectPayloads([
      "broadcast data": dataPayload(traffic),
      "broadcast members": traffic.broadcast(4 * network),
      "share statistics": sums.reduce(0) { $0 + traffic.sum(parts: shards, of: $1) },
      // By weights all members', and by activations all but the first's.
      "share assignments": traffic.map(parts: 4, bytes: 4 * 8 * units)
        + traffic.map(parts: 3, bytes: 3 * 8 * units),
      // What C2M3 came to on rank 0: whether members are lined up, and how, and the network.
      "share the merge": traffic.broadcast(8 * (1 + 4 * units) + network),
    ])
  }

  @Test(arguments: [1, 3])
  func `a merge that fails after sums were shared ends on every rank`(ranks: Int) throws {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      try Program.succeed(ranks: 2, ["train", "--output", run] + small)
      let outcome = try Program.permavg(
        ranks: ranks,
        [
          "merge", run, "--method",
          "activation-matching,repair,permavg(epochs=1,learning-rate=1e38)",
        ])
      #expect(outcome.status == 2, "\(outcome.errors)")
      #expect(outcome.errorLines.count == 1, "\(outcome.errors)")
      #expect(outcome.errorLines.first?.contains("permavg: the loss became") == true)
      #expect(try mergedNames(of: run).isEmpty)
    }
  }

  @Test(.timeLimit(.minutes(3)))
  func `the stages one by one give the bytes of the whole run`() throws {
    try withTemporaryFolder { folder in
      let (whole, staged) = ("\(folder)/whole", "\(folder)/staged")
      try Program.succeed(
        ranks: 2, ["run", "--output", whole, "--students", "2"] + learning + small)

      // `train` knows the members' options only; the later stages bring their own.
      for (ranks, arguments) in [
        (2, ["train", "--output", staged] + small),
        (nil, ["merge", staged, "--method", "naive"]),
        (nil, ["merge", staged, "--method", "permavg", "--permavg-epochs", "1"]),
        (2, ["merge", staged, "--method", "mergemany,unit-weights(epochs=1),refit-head"]),
        (3, ["distill", staged, "--students", "2"]),
        (nil, ["evaluate", staged]),
        (nil, ["report", staged]),
      ] as [(Int?, [String])] {
        try Program.succeed(ranks: ranks, arguments)
      }
      let (a, b) = (try reproducibleContents(of: whole), try reproducibleContents(of: staged))
      #expect(a.keys.sorted() == b.keys.sorted())
      for (name, bytes) in a { #expect(bytes == b[name], "\(name)") }
    }
  }

  @Test(.timeLimit(.minutes(3)))
  func `a residual network's whole run gives the same bytes on 1, 2, 3 and 5 ranks`() throws {
    try withTemporaryFolder { folder in
      var first: [String: Data]?
      for ranks in [1, 2, 3, 5] {
        let run = "\(folder)/ranks-\(ranks)"
        try Program.succeed(
          ranks: ranks,
          [
            "run", "--output", run, "--dataset", "synthetic", "--architecture",
            "residual:784-16x2-10", "--members", "3", "--epochs", "1", "--batch-size", "600",
            "--learning-rate", "0.1",
            "--method", "weight-matching,repair", "--method",
            "weight-matching,unit-weights(epochs=1),least-squares", "--method",
            "activation-matching", "--method", "permavg(epochs=1)",
          ])
        let files = try reproducibleContents(of: run)
        #expect(
          try mergedNames(of: run).filter { !$0.hasSuffix(".permutations") } == [
            "activation-matching", "permavg(epochs=1)", "permavg(epochs=1)-hard",
            "weight-matching+repair", "weight-matching+unit-weights(epochs=1)+least-squares",
          ])
        if let first {
          #expect(files.keys.sorted() == first.keys.sorted())
          for (name, bytes) in files { #expect(bytes == first[name], "\(name) on \(ranks) ranks") }
        }
        first = first ?? files
      }
      let results = try #require(try RunFolder("\(folder)/ranks-1").readResults())
      let members = results.rows(.member).map(\.test.accuracy)
      let merged = try #require(
        results.row(named: "weight-matching+unit-weights(epochs=1)+least-squares")
      ).test.accuracy
      #expect(members.allSatisfy { $0 > 0.3 } && merged > 0.3, "\(members), \(merged)")
      #expect(results.barriers.map(\.alignment).contains("weight-matching+repair"))
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
      try Program.succeed(ranks: 2, arguments)
      let before = try reproducibleContents(of: run)
      try FileManager.default.removeItem(atPath: "\(run)/members/001.safetensors")
      let outcome = try Program.succeed(ranks: 3, arguments)
      #expect(outcome.errors.contains("2 members kept from before"))
      #expect(outcome.errors.contains("training 1 member on 3 ranks"))
      #expect(try reproducibleContents(of: run) == before)
    }
  }
}
