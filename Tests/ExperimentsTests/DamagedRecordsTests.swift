import Foundation
import TestSupport
import Testing

@testable import Experiments

/// Records of a run folder that are of another version, or that no permavg wrote.
@Suite(.serialized) struct DamagedRecordsTests {
  @Test(.timeLimit(.minutes(2)))
  func `records of another version are refused by name and version`() throws {
    try withTemporaryFolder { folder in
      let (study, run) = ("\(folder)/study", "\(folder)/study/seed-1")
      try Program.succeed([
        "study", "--output", study, "--dataset", "synthetic", "--architecture", "784-8-10",
        "--members", "2", "--seeds", "1", "--epochs", "1", "--batch-size", "500", "--method",
        "naive",
      ])
      try Program.succeed(["evaluate", run])
      let all = ["evaluate", "merge", "distill", "verify", "report"]
      for (record, commands) in [
        ("\(run)/experiment.json", all.map { [$0, run] }),
        ("\(run)/M-002/experiment.json", all.map { [$0, "\(run)/M-002"] }),
        ("\(run)/results.json", [["report", run]]),
        (
          "\(study)/study.json",
          [["report", study], ["study", "--output", study, "--dataset", "synthetic"]]
        ),
      ] {
        for (version, advice) in [(1, "use the permavg that wrote it"), (3, "use a newer permavg")]
        {
          try edit(record, replacing: "\"version\" : 2", with: "\"version\" : \(version)")
          let before = try contents(of: study)
          for command in commands {
            try Program.expectRefusal(
              3,
              saying:
                "\(record): is of version \(version), this program reads version 2; \(advice)",
              arguments: command, launches: version == 1 ? [nil, 2] : [nil])
          }
          #expect(try contents(of: study) == before)
          try edit(record, replacing: "\"version\" : \(version)", with: "\"version\" : 2")
        }
      }
    }
  }

  @Test(arguments: [
    ("members", "-2"), ("members", "0"), ("members", "1000000000"), ("students", "-1"),
    ("students", "1000000000000"), ("epochs", "-1"), ("batchSize", "0"), ("validation", "-1"),
    ("momentum", "1.5"), ("temperature", "0"),
  ])
  func `settings of a folder that no run has are refused by every command`(
    setting: String, value: String
  ) throws {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      var experiment = Recipe.default.experiment
      experiment.dataset = .synthetic
      try RunFolder(run).prepare(for: experiment, keepingLaterStages: false)
      let record = "\(run)/experiment.json"
      let text = try String(contentsOfFile: record, encoding: .utf8)
      let line = try #require(
        text.split(separator: "\n").first { $0.contains("\"\(setting)\" : ") })
      let comma = line.hasSuffix(",") ? "," : ""
      try edit(record, replacing: String(line), with: "\"\(setting)\" : \(value)\(comma)")
      // All commands read settings alike but for `verify`, which needs no data.
      let isTriedByAll = value == "-2"
      for command in isTriedByAll
        ? ["evaluate", "merge", "distill", "report", "verify"] : ["evaluate", "verify"]
      {
        try Program.expectRefusal(
          2, saying: "\(value): expected", arguments: [command, run],
          launches: isTriedByAll ? [nil, 2] : [nil])
      }
    }
  }

  /// A small run on two ranks, finished.
  private func finish(_ run: String) throws {
    try Program.succeed(
      ranks: 2,
      [
        "run", "--output", run, "--dataset", "synthetic", "--architecture", "784-8-10", "--epochs",
        "1", "--members", "2", "--batch-size", "500", "--method", "permavg(epochs=1)",
      ])
  }

  @Test(.timeLimit(.minutes(2)))
  func `numbers that no run has in its records never end a report by a signal`() throws {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      try finish(run)
      let (largest, smallest) = ("9223372036854775807", "-9223372036854775808")
      for (record, key, value) in [
        // A rate that no network has, sums that no counter holds, and counts below zero.
        ("communication.json", "secondsTransferring", "1e-300"),
        ("communication.json", "secondsTransferring", "1e308"),
        ("communication.json", "bytesSent", largest), ("communication.json", "bytesSent", smallest),
        ("communication.json", "calls", smallest), ("communication.json", "ranks", smallest),
        ("communication.json", "wallSeconds", "1e308"), ("results.json", "parameters", smallest),
        ("results.json", "forwardPasses", smallest), ("results.json", "nll", "1e308"),
        ("results.json", "accuracy", "-1e308"), ("results.json", "networks", smallest),
        ("results.json", "points", smallest), ("results.json", "lambda", "1e308"),
        ("metrics.jsonl", "epoch", largest), ("metrics.jsonl", "loss", "-1e308"),
        ("metrics.jsonl", "step", smallest), ("metrics.jsonl", "index", smallest),
      ] {
        let path = "\(run)/\(record)"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let pattern = try Regex("\"\(key)\" ?: ?-?[0-9.e+-]+")
        #expect(text.contains(pattern), "\(record) has no \(key)")
        try write(Array(text.replacing(pattern, with: "\"\(key)\":\(value)").utf8), to: path)
        let outcome = try Program.permavg(["report", run])
        let what = "\(record), \(key) \(value): status \(outcome.status), \(outcome.errors)"
        #expect([0, 3].contains(outcome.status), "\(what)")
        #expect(outcome.errorLines.count == (outcome.status == 0 ? 0 : 1), "\(what)")
        if outcome.status == 3 { #expect(outcome.errors.contains(path), "\(what)") }
        try write(Array(text.utf8), to: path)
      }
    }
  }

  @Test func `markup in records stays text`() throws {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      try finish(run)
      func image(_ number: Int) -> String { "<img src=x onerror=alert(\(number))>" }
      try edit(
        "\(run)/results.json", replacing: "\"alignment\" : \"permavg(epochs=1)\"",
        with: "\"alignment\" : \"\(image(1))\"")
      try edit(
        "\(run)/metrics.jsonl", replacing: "\"chain\":\"permavg(epochs=1)\"",
        with: "\"chain\":\"\(image(2))\"")
      try edit("\(run)/communication.json", replacing: "\"run\"", with: "\"\(image(3))\"")
      try Program.succeed(["report", run])
      let page = try String(contentsOfFile: "\(run)/report.html", encoding: .utf8)
      #expect(!page.contains("<img src=x"))
      for number in 1...3 {
        #expect(page.contains("&lt;img src=x onerror=alert(\(number))&gt;"), "\(number)")
      }
    }
  }

  @Test(arguments: ["timings.json", "metrics.jsonl"])
  func `a record that cannot be added to is found before anything is trained`(record: String) throws
  {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      let members = [
        "train", "--output", run, "--dataset", "synthetic", "--architecture", "784-8-10",
        "--epochs",
        "1", "--members", "2", "--batch-size", "500",
      ]
      try Program.succeed(members)
      try FileManager.default.removeItem(atPath: "\(run)/members/001.safetensors")
      try write(Array("{ \"version\"".utf8), to: "\(run)/\(record)")
      let outcome = try Program.permavg(members)
      #expect(outcome.status == 3 && outcome.errorLines.count == 1)
      #expect(outcome.errors.contains("error: \(run)/\(record): "))
      #expect(!outcome.errors.contains("training"), "what is trained then is lost")
    }
  }
}
