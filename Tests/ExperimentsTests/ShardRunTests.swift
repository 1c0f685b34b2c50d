import Datasets
import Foundation
import Networks
import TestSupport
import Testing

@testable import Experiments

/// Runs whose members have images of their own.
@Suite(.serialized) struct ShardRunTests {
  private let small = [
    "--dataset", "synthetic", "--architecture", "784-24-10", "--members", "4", "--epochs", "2",
    "--batch-size", "60", "--shard-size", "300", "--seed", "7", "--validation", "50",
  ]
  private let chains = [
    "mergemany,unit-weights(epochs=1)", "neuron-selection(width=2,head=labels)",
    "mergemany,repair,refit-head-labels", "best-member,fine-tune(epochs=1)", "greedy-soup",
    "permavg(epochs=1)",
  ]

  @Test(.timeLimit(.minutes(5)), arguments: ["dirichlet:0.5", "sizes:2"])
  func `1, 2, 3 and 5 ranks give the same bytes`(rule: String) throws {
    try withTemporaryFolder { folder in
      var first: [String: Data]?
      for ranks in [1, 2, 3, 5] {
        let run = "\(folder)/ranks-\(ranks)"
        try Program.succeed(
          ranks: ranks,
          ["run", "--output", run, "--shards", rule] + small
            + chains.flatMap { ["--method", $0] })
        let files = try reproducibleContents(of: run)
        #expect(files.keys.contains("students/000.safetensors"))
        if let first {
          #expect(files.keys.sorted() == first.keys.sorted())
          for (name, bytes) in files { #expect(bytes == first[name], "\(name) on \(ranks) ranks") }
        }
        first = first ?? files
      }
      let results = try #require(try RunFolder("\(folder)/ranks-1").readResults())
      let wide = try #require(results.row(named: "neuron-selection(width=2.0,head=labels)"))
      #expect(wide.parameters == 784 * 48 + 48 + 480 + 10)
    }
  }

  /// The ledger's payload must be what the methods need, byte for byte.
  @Test(.timeLimit(.minutes(3)), arguments: [1, 2, 3, 5])
  func `what travels is what methods need`(ranks: Int) throws {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      try Program.succeed(
        ranks: ranks,
        ["run", "--output", run, "--shards", "iid", "--students", "1"] + small
          + chains[..<2].flatMap { ["--method", $0] })
      let command = try #require(try RunFolder(run).readCommunication().commands.first)
      let traffic = Traffic(ranks: ranks)
      let network = 4 * (785 * 24 + 25 * 10)
      // 4 shards of 250 in batches of 60.
      let steps = 17
      let unitWeights = 4 * (34 + 24) + 34
      // HᵀH of 48 units and a constant, one triangle; HᵀY; and losses of 5 ridges at 36 scales.
      let head = 49 * 50 / 2 + 49 * 10
      command.expectPayloads(
        [
          "deal out shards": traffic.broadcast(8 * 4) + traffic.broadcast(8 * 4)
            + traffic.away(4) * 300 * (784 + 1),
          "gather member weights": traffic.away(4) * network,
          "broadcast members": traffic.broadcast(4 * network),
          "share assignments": traffic.map(parts: 4, bytes: 4 * 8 * (1 + 4 * 24)),
          "share gradients": steps * traffic.reduce(parts: 4, bytes: 4 * (unitWeights + 3))
            + 2 * steps * traffic.reduce(parts: 4, bytes: network + 4 * 3),
          "share statistics": traffic.map(parts: 1, bytes: 4 * (785 * 48 + 49 * 10))
            + traffic.reduce(parts: 4, bytes: 4 * head)
            + traffic.sum(parts: 4, of: 5 * 36)
            // Accuracy on held-out images, after the epoch of unit weights.
            + traffic.sum(parts: 4, of: 2),
        ], besides: ["gather member curves", "gather student curves"])
    }
  }

  @Test(.timeLimit(.minutes(4)))
  func `a study shows what a network costs in messages, and goes on where it stopped`() throws {
    try withTemporaryFolder { folder in
      let study = "\(folder)/study"
      let arguments =
        [
          "study", "--output", study, "--members", "4", "--seeds", "2", "--shards", "dirichlet:0.5",
          "--shard-size", "200", "--dataset", "synthetic", "--architecture", "784-24-10",
          "--epochs", "2", "--batch-size", "50", "--couple", "fedavg", "--method", "naive",
          "--method", "neuron-selection(head=labels)", "--method",
          "neuron-selection(head=logistic)",
        ]
      try Program.succeed(ranks: 2, arguments)
      let plan = try #require(try RunFolder(study).readStudyPlan())
      let table = try StudyTable(RunFolder(study), plan)
      let network = 4 * (785 * 24 + 25 * 10)
      let traffic = Traffic(ranks: 2)
      let head = 4 * (25 * 26 / 2 + 25 * 10)
      // Eight gradients of five heads, each with four numbers more, and eight of the best; and the next heads.
      let logistic =
        traffic.away(4) * 4 * (8 * 5 + 8) * (25 * 10 + 4)
        + traffic.broadcast(4 * (7 * 5 + 1 + 8) * 25 * 10)
      for (name, rounds, bytes) in [
        ("member", 0, 0), ("ensemble, mean logits", 1, traffic.away(4) * network),
        ("naive", 1, traffic.away(4) * network),
        (
          "neuron-selection(head=labels)", 3,
          traffic.away(4) * network + traffic.map(parts: 1, bytes: network)
            + traffic.reduce(parts: 4, bytes: head) + traffic.sum(parts: 4, of: 5 * 36)
        ),
        (
          "neuron-selection(head=logistic)", 18,
          traffic.away(4) * network + traffic.map(parts: 1, bytes: network)
            + traffic.reduce(parts: 4, bytes: head) + logistic
        ), ("fedavg", 2, 2 * traffic.reduce(parts: 4, bytes: network)),
      ] {
        let summary = try #require(table.summaries.first { $0.name == name }, "\(name)")
        #expect(summary.seeds == 2 && summary.rounds == rounds, "\(name)")
        #expect(summary.bytes == bytes, "\(name): \(summary.bytes ?? -1), not \(bytes)")
      }
      #expect(table.names.last == "fedavg" && table.text.contains("rounds"))
      let page = try String(contentsOfFile: "\(study)/study.html", encoding: .utf8)
      #expect(page.contains("Accuracy against bytes") && page.contains("dirichlet:0.5"))
      let csv = try String(contentsOfFile: "\(study)/study.csv", encoding: .utf8)
      #expect(csv.contains("rounds,bytes,ranks"))

      let before = try contents(of: study)
      let again = try Program.succeed(ranks: 3, arguments)
      #expect(!again.errors.contains("training"))
      for (name, bytes) in try contents(of: study) where !name.hasSuffix("communication.json") {
        #expect(bytes == before[name], "\(name)")
      }
      try Program.expectRefusal(
        2, saying: "each size is a study of its own",
        arguments: arguments + ["--members", "2,4"])
      // Another M has other shards.
      try Program.expectRefusal(
        2, saying: "members: 4 there, 3 here", arguments: arguments + ["--members", "3"])
    }
  }

  @Test(.timeLimit(.minutes(2)))
  func `what a step cannot do is said once on any number of ranks, and wide networks are verified`()
    throws
  {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      try Program.succeed(
        ranks: 2,
        ["train", "--output", run, "--shards", "iid"] + small.dropLast(2))
      func merge(_ chain: String, _ extra: String...) -> [String] {
        ["merge", run, "--method", chain] + extra
      }
      try Program.expectRefusal(
        2, saying: "there are 4 members", arguments: merge("neuron-selection(width=9)"))
      try Program.expectRefusal(
        2, saying: "greedy-soup chooses on held-out images", arguments: merge("greedy-soup"))
      try Program.expectRefusal(
        2, saying: "fine-tune: the loss became",
        arguments: merge("fine-tune(learning-rate=1e30,epochs=1)"))
      try Program.expectRefusal(
        2, saying: "--shard-data", "leave it out",
        arguments: merge("naive", "--shard-data", "x-{member}"))
      try Program.expectRefusal(
        2, saying: "--shard-data x-{member}", "--data",
        arguments: [
          "merge", "\(run)/members/000.safetensors", "\(run)/members/001.safetensors", "-o",
          "\(folder)/out.safetensors", "--shard-data", "x-{member}",
        ])
      try Program.expectRefusal(
        2, saying: "--couple gossip", "there are fedavg",
        arguments: ["study", "--output", "\(folder)/study", "--couple", "gossip"])
      try Program.succeed(ranks: 3, merge("neuron-selection(width=2)"))
      let verified = try Program.succeed(["verify", run])
      #expect(verified.output.contains("784-48-10") && verified.output.contains("784-24-10"))
      try Program.succeed(["evaluate", run])
      try Program.succeed(["report", run])
    }
  }

  // MARK: - Folders

  private let inFolders = [
    "--dataset", "mnist", "--architecture", "400-4-10", "--epochs", "2", "--batch-size", "2000",
    "--members", "3",
  ]

  /// Folders of three members, of 800 kB each.
  private func writeFolders(_ folder: String) throws -> [String] {
    for member in 0..<3 {
      try SmallImages(count: 2000 + member, side: 20, seed: UInt64(member)).write(
        to: "\(folder)/shard-\(member)")
    }
    try SmallImages(side: 20).write(to: "\(folder)/test")
    return ["--data", "\(folder)/test", "--shard-data", "\(folder)/shard-{member}"]
  }

  /// Open MPI's own count of all that a rank sent, and ours.
  @Test(.timeLimit(.minutes(3)))
  func `no image leaves its rank`() throws {
    try withTemporaryFolder { folder in
      let places = try writeFolders(folder)
      let run = "\(folder)/run"
      let outcome = try Command.run(
        [
          try Program.path(), "run", "--output", run, "--method",
          "mergemany,unit-weights(epochs=1)", "--method", "neuron-selection(head=labels)",
          "--method", "activation-matching,repair,fine-tune(epochs=1)",
        ] + inFolders + places, ranks: 3, seconds: 200,
        environment: [
          "OMPI_MCA_pml_monitoring_enable": "2", "OMPI_MCA_pml_monitoring_enable_output": "3",
          "OMPI_MCA_pml_monitoring_filename": "\(folder)/monitored",
          "OMPI_MCA_coll_tuned_use_dynamic_rules": "1",
          "OMPI_MCA_coll_tuned_allgatherv_algorithm": "3",
        ])
      try #require(outcome.status == 0, "\(outcome.errors)")
      let command = try #require(try RunFolder(run).readCommunication().commands.first)
      let shard = 2000 * 400
      for (rank, ledger) in command.ledgers.enumerated() {
        let sent = ledger.reduce(0) { $0 + $1.bytesSent }
        let monitored = try monitoredBytes("\(folder)/monitored.\(rank).prof")
        // Not even all messages together have room for the images of one shard.
        #expect(sent > 10_000 && sent < shard / 2, "rank \(rank) sent \(sent)")
        #expect(monitored > 10_000 && monitored < shard, "rank \(rank) sent \(monitored)")
        #expect(!ledger.contains { $0.phase == "broadcast data" || $0.phase == "deal out shards" })
      }
      // How many images, of which size and how many classes, and a digest of them.
      #expect(command.payload("agree on shards") == 2 * 3 * (5 * 8 + 32))
    }
  }

  /// All bytes that a rank's monitoring file says it sent, point to point or in collectives.
  private func monitoredBytes(_ path: String) throws -> Int {
    var sum = 0
    for line in try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n") {
      let fields = line.split(separator: "\t")
      // E: point to point, I: inside collectives.
      guard let kind = fields.first, ["E", "I"].contains(kind), fields.count > 3,
        let bytes = Int(fields[3].split(separator: " ")[0])
      else { continue }
      sum += bytes
    }
    return sum
  }

  @Test(.timeLimit(.minutes(3)))
  func `members of folders are the same on any number of ranks, and need their folders again`()
    throws
  {
    try withTemporaryFolder { folder in
      let places = try writeFolders(folder)
      var first: [String: Data]?
      for ranks in [1, 2, 3] {
        let run = "\(folder)/ranks-\(ranks)"
        try Program.succeed(ranks: ranks, ["train", "--output", run] + inFolders + places)
        try Program.succeed(
          ranks: ranks, ["merge", run, "--method", "neuron-selection,refit-head-labels"] + places)
        let files = try reproducibleContents(of: run)
        if let first {
          for (name, bytes) in files { #expect(bytes == first[name], "\(name) on \(ranks) ranks") }
        }
        first = first ?? files
      }
      let run = "\(folder)/ranks-1"
      try Program.expectRefusal(
        2, saying: "name their folders with --shard-data",
        arguments: ["merge", run, "--method", "naive", "--data", "\(folder)/test"])
      try SmallImages(count: 2000, side: 20, seed: 77).write(to: "\(folder)/shard-1")
      try Program.expectRefusal(
        2, saying: "was made from other data", "--shard-data",
        arguments: ["merge", run, "--method", "naive"] + places)
    }
  }

  @Test(.timeLimit(.minutes(2)))
  func `normalisation is measured by sums that no split changes`() throws {
    try withTemporaryFolder { folder in
      let settings = [
        "--dataset", "synthetic", "--architecture", "784-4-10", "--epochs", "1", "--normalization",
        "data", "--members", "3",
      ]
      var found: Set<String> = []
      for (ranks, extra) in [
        (1, []), (1, ["--shards", "iid"]), (2, ["--shards", "iid"]), (3, ["--shards", "sizes:1"]),
      ] as [(Int, [String])] {
        let run = "\(folder)/run-\(ranks)-\(extra.count)\(extra.last ?? "")"
        try Program.succeed(ranks: ranks, ["train", "--output", run] + settings + extra)
        let experiment = try RunFolder(run).readExperiment()
        found.insert(experiment.normalization.description)
      }
      // 9,999 of 10,000 images are dealt out: the last decimal may differ.
      let values = found.map { $0.split(separator: ",").compactMap { Double($0) } }
      for value in values {
        #expect(abs(value[0] - values[0][0]) < 2e-4 && abs(value[1] - values[0][1]) < 2e-4)
      }
      let pixels = try DatasetName.synthetic.load().training.pixels.map { Double($0) / 255 }
      let mean = pixels.reduce(0, +) / Double(pixels.count)
      let variance = pixels.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(pixels.count)
      #expect(abs(values[0][0] - mean) < 2e-4 && abs(values[0][1] - variance.squareRoot()) < 2e-4)
    }
  }

  @Test func `folders that do not serve are refused by rank and path`() throws {
    try withTemporaryFolder { folder in
      let places = try writeFolders(folder)
      func train(_ extra: [String] = [], members: String = "3") -> [String] {
        ["train", "--output", "\(folder)/run"] + inFolders + places + ["--members", members] + extra
      }
      try Program.expectRefusal(
        3, saying: "rank 0", "\(folder)/shard-3", "no such folder", arguments: train(members: "4"),
        launches: [3])
      try SmallImages(count: 300, side: 10).write(to: "\(folder)/shard-1")
      try Program.expectRefusal(
        3, saying: "\(folder)/shard-1", "has images of 10 × 10", arguments: train())
      try SmallImages(count: 300, side: 20, classes: 1).write(to: "\(folder)/shard-1")
      try Program.expectRefusal(
        3, saying: "\(folder)/shard-1", "all of class", arguments: train())
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/run"))
      try Program.expectRefusal(
        2, saying: "--shards", "--shard-data", arguments: train(["--shards", "iid"]))
    }
  }

  @Test func `shards that cannot be are refused before anything is made`() throws {
    try withTemporaryFolder { folder in
      func refuse(_ status: Int32, _ word: String, _ arguments: [String]) throws {
        try Program.expectRefusal(
          status, saying: word,
          arguments: ["train", "--output", "\(folder)/run", "--dataset", "synthetic"] + arguments)
        #expect(!FileManager.default.fileExists(atPath: "\(folder)/run"))
      }
      try refuse(3, "shards of at least one", ["--shards", "iid", "--members", "20000"])
      try refuse(3, "need 40000", ["--shards", "iid", "--members", "4", "--shard-size", "10000"])
      try refuse(2, "needs --shards", ["--shard-size", "10"])
      try refuse(
        2, "none would be left",
        [
          "--shards", "iid", "--members", "2", "--shard-size", "100", "--validation", "100",
        ])
      try refuse(2, "dirichlet:A", ["--shards", "dirichlet:none"])
      try refuse(3, "all of class", ["--shards", "iid", "--members", "2", "--shard-size", "1"])
    }
  }
}
