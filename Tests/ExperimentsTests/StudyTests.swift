import Foundation
import TestSupport
import Testing

@testable import Experiments

/// A small study: its arguments, and runs of it.
private enum SmallStudy {
  static let settings = [
    "--dataset", "synthetic", "--architecture", "784-20-10", "--epochs", "2", "--batch-size", "200",
    "--learning-epochs", "1", "--method", "naive", "--method", "mergemany,unit-weights@3",
    "--method", "best-member,fine-tune",
  ]

  static func run(
    _ folder: String, ranks: Int? = nil, sizes: String = "2,3,4", seeds: Int = 2
  ) throws -> Command.Outcome {
    let outcome = try Program.permavg(
      ranks: ranks,
      ["study", "--output", folder, "--members", sizes, "--seeds", "\(seeds)"] + settings)
    try #require(outcome.status == 0, "\(outcome.errors)")
    return outcome
  }

  /// What does not depend on time or machine, of the study and of its cells.
  static func reproducible(_ folder: String) throws -> [String: Data] {
    let times = ["timings.json", "communication.json", "study.csv", "study.html"]
    return try contents(of: folder).filter { name, _ in
      !times.contains { name.hasSuffix($0) }
    }
  }

  static func summaries(_ folder: String) throws -> [StudyTable.Summary] {
    try JSONDecoder().decode(
      [StudyTable.Summary].self,
      from: Data(contentsOf: URL(fileURLWithPath: "\(folder)/study-summary.json")))
  }
}

@Suite(.serialized) struct StudyTests {
  @Test(.timeLimit(.minutes(5)))
  func `ranks, interruptions and the order of growing leave the bytes as they are`() throws {
    try withTemporaryFolder { folder in
      let (whole, ranked, grown) = ("\(folder)/whole", "\(folder)/ranked", "\(folder)/grown")
      _ = try SmallStudy.run(whole)
      let expected = try SmallStudy.reproducible(whole)
      #expect(expected.keys.contains("seed-2/M-004/results.json"))
      #expect(expected.keys.contains("seed-1/members/003.safetensors"))
      #expect(!expected.keys.contains { $0.hasPrefix("seed-1/M-004/members/") })

      _ = try SmallStudy.run(ranked, ranks: 3)
      #expect(try SmallStudy.reproducible(ranked) == expected)

      // As interruptions leave it: a cell without scores, one without a merge, a seed without a member.
      for name in [
        "seed-1/M-002/results.json", "seed-1/M-003/merged/mergemany+unit-weights.safetensors",
        "seed-1/members/003.safetensors", "seed-2/M-004/students/000.safetensors",
        "study-summary.json",
      ] {
        try FileManager.default.removeItem(atPath: "\(ranked)/\(name)")
      }
      _ = try SmallStudy.run(ranked)
      #expect(try SmallStudy.reproducible(ranked) == expected)

      _ = try SmallStudy.run(grown, sizes: "2", seeds: 1)
      _ = try SmallStudy.run(grown, ranks: 2)
      #expect(try SmallStudy.reproducible(grown) == expected)
      let again = try SmallStudy.run(grown)
      #expect(!again.errors.contains("merging") && !again.errors.contains("training"))
    }
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
      for name in ["naive", "mergemany+unit-weights", "ensemble, mean logits"] {
        let summary = try #require(summaries.first { $0.members == 3 && $0.name == name })
        let values = try results.map { try #require($0.row(name)).test.accuracy }
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
      #expect(!summaries.contains { $0.members == 4 && $0.name == "mergemany+unit-weights" })
      let csv = try String(contentsOfFile: "\(folder)/study.csv", encoding: .utf8)
      #expect(csv.split(separator: "\n").count == 1 + 2 * (7 + 7 + 6))
      let html = try String(contentsOfFile: "\(folder)/study.html", encoding: .utf8)
      #expect(html.contains("mergemany+unit-weights") && html.contains("<polyline"))
      for name in ["study.html", "study.csv", "study-summary.json"] {
        try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
      }
      #expect(try Program.permavg(ranks: 2, ["report", folder]).status == 0)
      #expect(try String(contentsOfFile: "\(folder)/study.html", encoding: .utf8) == html)
      #expect(try SmallStudy.summaries(folder) == summaries)
    }
  }

  @Test func `another study in the folder is refused, and left as it was`() throws {
    try withTemporaryFolder { folder in
      let study = "\(folder)/study"
      _ = try SmallStudy.run(study, sizes: "2", seeds: 1)
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

  @Test(arguments: [
    ["--members", "2,x"], ["--members", "0,2"], ["--members", ""], ["--seeds", "0"],
    ["--method", "naive@0"], ["--method", "nonsense"], ["--restarts", "0"],
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
}
