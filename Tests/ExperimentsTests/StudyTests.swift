import Foundation
import Networks
import TestSupport
import Testing

@testable import Experiments

/// A small study: its arguments, and runs of it.
enum SmallStudy {
  static let settings = [
    "--dataset", "synthetic", "--architecture", "784-20-10", "--epochs", "2", "--batch-size", "200",
    "--learning-epochs", "1", "--method", "naive", "--method", "mergemany,unit-weights@3",
    "--method", "best-member,fine-tune",
  ]

  /// What its chain that learns unit weights is called.
  static let learned = "mergemany+unit-weights(epochs=1)"

  @discardableResult
  static func run(
    _ folder: String, ranks: Int? = nil, sizes: String = "2,3,4", seeds: Int = 2,
    _ more: [String] = []
  ) throws -> Command.Outcome {
    try Program.succeed(
      ranks: ranks,
      ["study", "--output", folder, "--members", sizes, "--seeds", "\(seeds)"] + settings + more)
  }

  /// What does not depend on time or machine, of the study and of its cells.
  static func reproducible(_ folder: String) throws -> [String: Data] {
    let times = [
      "timings.json", "communication.json", "costs.json", "study.csv", "study.html",
    ]
    return try contents(of: folder).filter { name, _ in
      !times.contains { name.hasSuffix($0) }
    }
  }

  static func summaries(_ folder: String) throws -> [StudyTable.Summary] {
    try JSONDecoder().decode(
      [StudyTable.Summary].self,
      from: Data(contentsOf: URL(fileURLWithPath: "\(folder)/study-summary.json")))
  }

  /// The fields of each line of `study.csv`, by the header's names.
  static func table(_ folder: String) throws -> [[String: String]] {
    let lines = try String(contentsOfFile: "\(folder)/study.csv", encoding: .utf8)
      .split(separator: "\n").map(fields)
    return lines.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(lines[0], $0)) }
  }

  /// Fields between commas that stand in no quotation marks.
  private static func fields(_ line: Substring) -> [String] {
    var fields = [""]
    var isQuoted = false
    for character in line {
      switch character {
      case "\"": isQuoted.toggle()
      case "," where !isQuoted: fields.append("")
      default: fields[fields.count - 1].append(character)
      }
    }
    return fields
  }
}

@Suite(.serialized) struct StudyTests {
  @Test(.timeLimit(.minutes(5)))
  func `ranks, interruptions and the order of growing leave the bytes as they are`() throws {
    try withTemporaryFolder { folder in
      let (whole, ranked, grown) = ("\(folder)/whole", "\(folder)/ranked", "\(folder)/grown")
      try SmallStudy.run(whole)
      let expected = try SmallStudy.reproducible(whole)
      #expect(expected.keys.contains("seed-2/M-004/results.json"))
      #expect(expected.keys.contains("seed-1/members/003.safetensors"))
      #expect(!expected.keys.contains { $0.hasPrefix("seed-1/M-004/members/") })

      try SmallStudy.run(ranked, ranks: 3)
      #expect(try SmallStudy.reproducible(ranked) == expected)
      for seed in [1, 2] {
        for size in [2, 3, 4] { try checkCommunication(ranked, seed: seed, size: size, ranks: 3) }
      }

      // As interruptions leave it: a cell without scores, one without a merge, a seed without a member.
      for name in [
        "seed-1/M-002/results.json", "seed-1/M-003/merged/\(SmallStudy.learned).safetensors",
        "seed-1/members/003.safetensors", "seed-2/M-004/students/000.safetensors",
        "study-summary.json",
      ] {
        try FileManager.default.removeItem(atPath: "\(ranked)/\(name)")
      }
      try SmallStudy.run(ranked)
      #expect(try SmallStudy.reproducible(ranked) == expected)

      try SmallStudy.run(grown, sizes: "2", seeds: 1)
      try SmallStudy.run(grown, ranks: 2)
      #expect(try SmallStudy.reproducible(grown) == expected)
      let again = try SmallStudy.run(grown)
      #expect(!again.errors.contains("merging") && !again.errors.contains("training"))
    }
  }

  /// A cell's record must be of its own messages, byte for byte, whatever was sent for those before.
  private func checkCommunication(_ study: String, seed: Int, size: Int, ranks: Int) throws {
    let cell = RunFolder("\(study)/seed-\(seed)/M-00\(size)")
    let commands = try cell.readCommunication().commands
    try #require(commands.map(\.command) == ["study"])
    let traffic = Traffic(ranks: ranks)
    let graph = try cell.readExperiment().architecture
    let network = 4 * graph.parameterCount
    // 10,000 images in batches of 200, of which each is one part.
    let steps = size <= 3 ? 50 : 0
    let (layers, rows, columns, units) = (2, 20 + 10, 20, 20)
    commands[0].expectPayloads(
      [
        // All of the seed's members, for its first cell and those after it.
        "broadcast members": size == 2 ? traffic.broadcast(4 * network) : 0,
        "gather soft targets": traffic.map(parts: 10, bytes: 4 * 10_000 * 2 * 10),
        // The only student is rank 0's.
        "gather student weights": 0,
        "share assignments": steps == 0
          ? 0 : traffic.map(parts: 4, bytes: 4 * 8 * (1 + size * units)),
        "share gradients": steps * traffic.map(parts: 1, bytes: network + 3 * 4),
        "share means": steps == 0 ? 0 : (steps + 1) * traffic.map(parts: layers, bytes: network),
        "share gradients of unit weights": steps
          * traffic.map(parts: layers, bytes: 4 * size * (rows + columns)),
      ], besides: ["gather student curves", "study"])

    let own = try #require(
      try RunFolder("\(study)/seed-\(seed)").readCommunication().commands.first)
    #expect(own.payload("gather member weights") == traffic.away(4) * network)
    #expect(own.payload("gather soft targets") == 0 && own.payload("share gradients") == 0)
    #expect((own.payload("broadcast data") > 0) == (seed == 1), "read and sent once")
  }

  @Test(.timeLimit(.minutes(3)))
  func `the summary is the mean and the sample deviation of the cells' scores`() throws {
    try withTemporaryFolder { folder in
      let output = try SmallStudy.run(folder + "/study").output
      let folder = folder + "/study"
      let summaries = try SmallStudy.summaries(folder)
      let results = try [1, 2].map { seed in
        try #require(try RunFolder("\(folder)/seed-\(seed)/M-003").readResults())
      }
      for name in ["naive", SmallStudy.learned, "ensemble, mean logits"] {
        let summary = try #require(summaries.first { $0.members == 3 && $0.name == name })
        let values = try results.map { try #require($0.row(named: name)).test.accuracy }
        #expect(summary.seeds == 2)
        #expect(abs(summary.accuracy.mean - (values[0] + values[1]) / 2) < 1e-12)
        let deviation = try #require(summary.accuracy.deviation)
        #expect(abs(deviation - abs(values[0] - values[1]) / 2.0.squareRoot()) < 1e-12)
        #expect(output.contains(summary.accuracy.percent))
      }
      let members = try #require(summaries.first { $0.members == 3 && $0.name == "member" })
      let all = results.flatMap { $0.rows(.member).map(\.test.nll) }
      #expect(all.count == 6)
      #expect(abs(members.nll.mean - all.reduce(0, +) / 6) < 1e-12)
      // The chain with a largest size is not run beyond it.
      #expect(!summaries.contains { $0.members == 4 && $0.name == SmallStudy.learned })
      let table = try SmallStudy.table(folder)
      #expect(table.count == 2 * (7 + 7 + 6))
      for line in table {
        // Nothing has to be made for an ensemble; everything else took its time.
        let seconds = line["seconds"].flatMap(Double.init)
        #expect((seconds == nil) == (line["kind"] == "ensemble"), "\(line)")
        if let seconds, ["member", "student"].contains(line["kind"]) {
          #expect(seconds > 0, "\(line)")
        }
      }
      #expect(
        Set(table.compactMap { $0["kind"] })
          == ["member", "ensemble", "merged", "control", "student"])
      let html = try String(contentsOfFile: "\(folder)/study.html", encoding: .utf8)
      #expect(html.contains(SmallStudy.learned) && html.contains("<polyline"))
      for name in ["study.html", "study.csv", "study-summary.json"] {
        try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
      }
      try Program.succeed(ranks: 2, ["report", folder])
      #expect(try String(contentsOfFile: "\(folder)/study.html", encoding: .utf8) == html)
      #expect(try SmallStudy.summaries(folder) == summaries)
      try checkMarks(folder, summaries)
    }
  }

  /// A mean over fewer seeds than the study has must say so, wherever it stands.
  private func checkMarks(_ study: String, _ summaries: [StudyTable.Summary]) throws {
    let folder = RunFolder(study)
    let plan = try #require(try folder.readStudyPlan())
    #expect(!(try StudyTable(folder, plan).text.contains("of 2)")))
    // One cell is not scored yet, and one was made with settings that are not the study's.
    try FileManager.default.removeItem(atPath: "\(study)/seed-2/M-003/results.json")
    try Program.succeed(["distill", "\(study)/seed-1/M-002", "--alpha", "0.9"])
    try Program.succeed(["evaluate", "\(study)/seed-1/M-002"])
    try Program.succeed(["report", study])
    let html = try String(contentsOfFile: "\(study)/study.html", encoding: .utf8)
    let text = try StudyTable(folder, plan).text
    let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("naive ") })
    #expect(line.components(separatedBy: " (1 of 2)").count == 3, "\(line)")
    let marked = try SmallStudy.summaries(study)
    for size in [2, 3, 4] {
      let own = try #require(marked.first { $0.members == size && $0.name == "naive" })
      #expect(own.seeds == (size == 4 ? 2 : 1))
      #expect((own.accuracy.deviation == nil) == (size < 4))
      #expect(html.contains("<td>\(own.accuracy.percent)\(size < 4 ? " (1 of 2)" : "")</td>"))
    }
    #expect(marked.filter { $0.members == 4 } == summaries.filter { $0.members == 4 })
  }

  @Test func `another study in the folder is refused, and left as it was`() throws {
    try withTemporaryFolder { folder in
      let study = "\(folder)/study"
      try SmallStudy.run(study, sizes: "2", seeds: 1)
      let before = try contents(of: study)
      let outcome = try Program.permavg(
        ["study", "--output", study, "--members", "2", "--seeds", "1"] + SmallStudy.settings
          + ["--weight-decay", "0.1"])
      #expect(outcome.status == 2)
      #expect(outcome.errors.contains("holds another study (training.weightDecay: "))
      #expect(try contents(of: study) == before)

      let run = try Program.permavg(["study", "--output", "\(study)/seed-1"])
      #expect(run.status == 2 && run.errors.contains("is a run folder"))
    }
  }

  @Test func `a later seed's folder that does not fit is found before anything is trained`() throws
  {
    try withTemporaryFolder { folder in
      let study = "\(folder)/study"
      try Program.succeed([
        "train", "--output", "\(study)/seed-3", "--dataset", "synthetic", "--architecture",
        "784-6-10", "--members", "2", "--epochs", "1", "--batch-size", "500",
      ])
      let before = try contents(of: study)
      try Program.expectRefusal(
        2, saying: "\(study)/seed-3: holds another experiment", "architecture: 784-6-10 there",
        arguments: ["study", "--output", study, "--members", "2", "--seeds", "3"]
          + SmallStudy.settings, launches: [nil, 2])
      #expect(try contents(of: study) == before)
      #expect(try FileManager.default.contentsOfDirectory(atPath: study) == ["seed-3"])
    }
  }

  @Test func `settings that differ make cells side by side`() throws {
    try withTemporaryFolder { folder in
      let study = "\(folder)/study"
      try SmallStudy.run(study, sizes: "2", seeds: 1)
      let cell = "\(study)/seed-1/M-002"
      let before = try contents(of: "\(cell)/merged")
      let more = ["--method", "mergemany,unit-weights(epochs=2)"]
      let outcome = try SmallStudy.run(study, sizes: "2", seeds: 1, more)
      #expect(outcome.errors.contains("3 merged networks kept from before"))
      for (name, bytes) in before { #expect(try contents(of: "\(cell)/merged")[name] == bytes) }
      let names = Set(try SmallStudy.summaries(study).map(\.name))
      #expect(names.isSuperset(of: [SmallStudy.learned, "mergemany+unit-weights(epochs=2)"]))
      #expect(outcome.output.contains("mergemany+unit-weights(epochs=2) "))
    }
  }

  @Test(arguments: [
    ["--members", "2,x"], ["--members", "0,2"], ["--members", ""], ["--seeds", "0"],
    ["--method", "naive@0"], ["--method", "nonsense"], ["--method", "mergemany(restarts=0)"],
    ["--learning-epochs", "-1"],
  ])
  func `words that make no sense are usage errors`(arguments: [String]) throws {
    try withTemporaryFolder { folder in
      let outcome = try Program.permavg(
        ["study", "--output", "\(folder)/study", "--dataset", "synthetic"] + arguments)
      #expect(outcome.status == 2)
      #expect(outcome.errorLines.count == 1, "\(outcome.errors)")
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/study"))
    }
  }

  @Test func `a chain that is none is explained as elsewhere`() throws {
    for (chain, words) in [
      ("mergemany(restart=9)", "it has restarts (1 to 100000)"),
      ("mergemany(restarts=0)@8", "expected 1 to 100000"), ("nonsense", "naive, weight-matching"),
    ] {
      try Program.expectRefusal(
        2, saying: words, arguments: ["study", "--output", "nowhere", "--method", chain],
        launches: [nil])
    }
  }
}
