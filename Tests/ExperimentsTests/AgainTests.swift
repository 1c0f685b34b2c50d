import Foundation
import Merging
import Networks
import Tensors
import TestSupport
import Testing

@testable import Experiments

/// What a run folder keeps when a command is given again, and what is made anew.
@Suite(.serialized) struct AgainTests {
  private let files = FileManager.default

  /// What the members of these tests are.
  private func members(_ run: String) -> [String] {
    [
      "--output", run, "--dataset", "synthetic", "--architecture", "784-12-10", "--epochs", "1",
      "--members", "2", "--batch-size", "500",
    ]
  }

  private func results(_ run: String) throws -> Results {
    try #require(try RunFolder(run).readResults())
  }

  /// The chain that each merged network of a folder says it was made by must be that of its name.
  private func checkProvenance(_ run: String) throws {
    let folder = RunFolder(run)
    let experiment = try folder.readExperiment()
    let fingerprint = Experiments.fingerprint(of: try folder.readMembers(for: experiment))
    for predictor in try folder.merged() {
      let provenance = try #require(
        try folder.readProvenance(RunFolder.mergedName(predictor.name)))
      let chain = try #require(predictor.chain)
      #expect(provenance.made == chain.fullDescription, "\(predictor.name)")
      #expect(provenance.members == fingerprint, "\(predictor.name)")
      #expect(provenance.data == (chain.needsData ? experiment.data : nil), "\(predictor.name)")
    }
  }

  @Test func `a second run in a finished folder makes nothing anew`() throws {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      let arguments =
        ["run"] + members(run) + [
          "--method", "naive", "--method", "permavg(epochs=1)", "--method",
          "mergemany,unit-weights(epochs=1)", "--students", "2",
        ]
      let first = try Program.succeed(arguments)
      for word in ["training", "merging", "distilling"] { #expect(first.errors.contains(word)) }
      // How long things took to make is kept too, because nothing is made.
      let passing: Set = ["communication.json", "report.html"]
      let before = try contents(of: run, except: passing)
      for ranks in [nil, 2] {
        let again = try Program.succeed(ranks: ranks, arguments)
        for word in ["training", "merging", "distilling", "soft targets"] {
          #expect(!again.errors.contains(word), "\(again.errors)")
        }
        for thing in ["2 members", "3 merged networks", "2 students"] {
          #expect(again.errors.contains("\(thing) kept from before"), "\(again.errors)")
        }
        #expect(try contents(of: run, except: passing) == before)
      }
    }
  }

  @Test
  func `training again keeps the settings of distillation, and changed ones remove what they made`()
    throws
  {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      try Program.succeed(["train"] + members(run))
      try Program.succeed(["merge", run, "--method", "permavg", "--permavg-epochs", "1"])
      try Program.succeed(["distill", run, "--students", "2", "--alpha", "0.7"])
      let before = try reproducibleContents(of: run)
      try Program.succeed(["train"] + members(run))
      #expect(try reproducibleContents(of: run) == before)
      let experiment = try RunFolder(run).readExperiment()
      #expect(experiment.students == 2 && experiment.distillation.alpha == 0.7)

      let fewer = try Program.succeed(["distill", run, "--students", "1", "--alpha", "0.7"])
      #expect(fewer.errors.contains("1 student kept from before"))
      #expect(!files.fileExists(atPath: "\(run)/students/001.safetensors"))
      #expect(
        try RunFolder(run).readLearningLog().curves.map(\.learner) == [
          .member(0), .member(1), .merge(chain: "permavg(epochs=1)", step: 0), .student(0),
        ])
      try Program.succeed(["distill", run, "--students", "0", "--alpha", "0.7"])
      #expect(try files.contentsOfDirectory(atPath: "\(run)/students").isEmpty)
      #expect(try RunFolder(run).readExperiment().students == 0)

      // Of the merge nothing changed but that there is another one.
      try Program.succeed(["run"] + members(run) + ["--method", "naive", "--students", "0"])
      #expect(
        try mergedNames(of: run) == [
          "naive", "permavg(epochs=1)", "permavg(epochs=1)-hard", "permavg(epochs=1).permutations",
        ])
      #expect(try files.contentsOfDirectory(atPath: "\(run)/students").isEmpty)
      for (name, bytes) in before where name.hasPrefix("merged/") {
        #expect(try contents(of: run)[name] == bytes, "\(name)")
      }
    }
  }

  @Test func `students that are there are kept, and missing ones are distilled to the same bytes`()
    throws
  {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      try Program.succeed(["train"] + members(run))
      try Program.succeed(ranks: 2, ["distill", run, "--students", "3"])
      let before = try reproducibleContents(of: run)
      try files.removeItem(atPath: "\(run)/students/001.safetensors")
      let again = try Program.succeed(ranks: 2, ["distill", run])
      #expect(again.errors.contains("2 students kept from before"))
      #expect(again.errors.contains("distilling 1 student on 2 ranks"))
      #expect(try reproducibleContents(of: run) == before)

      let other = try Program.succeed(["distill", run, "--temperature", "9"])
      #expect(!other.errors.contains("kept") && other.errors.contains("distilling 3 students"))
      for (name, bytes) in try reproducibleContents(of: run) where name.hasPrefix("students/") {
        #expect(bytes != before[name], "\(name)")
      }
    }
  }

  @Test func `two settings of one method stand side by side, each under its own name`() throws {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      try Program.succeed(["train"] + members(run))
      try Program.succeed([
        "merge", run, "--method", "unit-weights", "--method", "unit-weights,refit-head",
        "--learning-epochs", "1",
      ])
      let before = try contents(of: "\(run)/merged")
      #expect(
        before.keys.sorted() == [
          "unit-weights(epochs=1)+refit-head.safetensors", "unit-weights(epochs=1).safetensors",
        ])
      // Only what is asked for is made with the new setting, and what was made with the old one keeps its name.
      try Program.succeed([
        "merge", run, "--method", "naive", "--method", "unit-weights", "--learning-epochs", "3",
      ])
      let after = try contents(of: "\(run)/merged")
      #expect(
        after.keys.sorted() == [
          "naive.safetensors", "unit-weights(epochs=1)+refit-head.safetensors",
          "unit-weights(epochs=1).safetensors", "unit-weights(epochs=3).safetensors",
        ])
      for (name, bytes) in before { #expect(after[name] == bytes, "\(name)") }
      #expect(
        after["unit-weights(epochs=1).safetensors"] != after["unit-weights(epochs=3).safetensors"])
      try checkProvenance(run)

      let table = try Program.succeed(["evaluate", run]).output
      let names = [
        "naive", "unit-weights(epochs=1)", "unit-weights(epochs=3)",
        "unit-weights(epochs=1)+refit-head",
      ]
      #expect(
        table.split(separator: "\n").map { String($0.prefix { $0 != " " }) }
          .filter(names.contains) == names)
      for name in names { #expect(try results(run).row(named: name) != nil, "\(name)") }

      // A default that is given is no other setting.
      let again = try Program.succeed([
        "merge", run, "--method", "unit-weights(learning-rate=0.01,epochs=3)",
      ])
      #expect(again.errors.contains("1 merged network kept from before"))
      #expect(try contents(of: "\(run)/merged") == after)
    }
  }

  @Test func `what was made from other members is left out by name, and then made anew`() throws {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      let chains = ["--method", "naive", "--method", "unit-weights(epochs=1)"]
      try Program.succeed(["run"] + members(run) + chains)
      let other = Network(
        try RunFolder(run).readExperiment().architecture, random: RandomStream(seed: 9, "test"))
      try other.checkpoint().write(to: "\(run)/members/001.safetensors")

      let evaluation = try Program.succeed(["evaluate", run])
      for name in ["merged/naive", "merged/unit-weights(epochs=1)", "students/000"] {
        let lines = evaluation.errors.split(separator: "\n").filter {
          $0.hasPrefix("\(run)/\(name).safetensors: was made from other members or data")
        }
        #expect(lines.count == 1, "\(evaluation.errors)")
      }
      #expect(Set(try results(run).rows.map(\.predictor.kind)) == [.member, .ensemble])

      let merge = try Program.succeed(["merge", run] + chains)
      #expect(!merge.errors.contains("kept") && merge.errors.contains("merging 2 members by naive"))
      let distillation = try Program.succeed(["distill", run])
      #expect(!distillation.errors.contains("kept"))
      try checkProvenance(run)
      let again = try Program.succeed(["evaluate", run])
      #expect(!again.errors.contains("left out"))
      #expect(try results(run).rows(.merged).count == 2 && results(run).rows(.student).count == 1)
    }
  }

  @Test func `a student of other settings is none of the folder's`() throws {
    try withTemporaryFolder { folder in
      let (run, other) = ("\(folder)/run", "\(folder)/other")
      try Program.succeed(["train"] + members(run))
      try files.copyItem(atPath: run, toPath: other)
      try Program.succeed(["distill", run])
      try Program.succeed(["distill", other, "--temperature", "9"])
      let student = "students/000.safetensors"
      // As an interruption leaves it: the new student, and the old settings.
      try files.removeItem(atPath: "\(run)/\(student)")
      try files.copyItem(atPath: "\(other)/\(student)", toPath: "\(run)/\(student)")
      let outcome = try Program.succeed(["evaluate", run])
      #expect(outcome.errors.contains("\(run)/\(student): was made"), "\(outcome.errors)")
      #expect(try results(run).rows(.student).isEmpty)
    }
  }

  @Test func `a merge of another teacher is none of the folder's`() throws {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      try Program.succeed(["train"] + members(run))
      let chains = ["naive", "unit-weights-ensemble(epochs=1)"]
      try Program.succeed(["merge", run] + chains.flatMap { ["--method", $0] })
      try Program.succeed(["distill", run, "--targets", "probabilities"])
      let outcome = try Program.succeed(["evaluate", run])
      #expect(outcome.errors.contains("\(chains[1]).safetensors: was made"), "\(outcome.errors)")
      #expect(try results(run).rows(.merged).map(\.predictor.name) == ["naive"])
      // What asks no teacher holds as before.
      let again = try Program.succeed(["merge", run] + chains.flatMap { ["--method", $0] })
      #expect(again.errors.contains("1 merged network kept from before"), "\(again.errors)")
    }
  }

  @Test func `a merged file whose name is no chain's is named`() throws {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      try Program.succeed(["train"] + members(run))
      for name in [
        "mine", "naive,repair", "permavg(epoch=1)", "permavg(temperature=0)",
        "mergemany(restarts=4)", "naive-soft", "repair-hard-hard",
      ] {
        let file = "\(run)/merged/\(name).safetensors"
        try files.copyItem(atPath: "\(run)/members/000.safetensors", toPath: file)
        for command in ["evaluate", "verify"] {
          try Program.expectRefusal(
            4, saying: "\(file): ", "its name is no chain of methods", arguments: [command, run],
            launches: [nil])
        }
        // Merging and distilling leave it alone.
        let before = try contents(of: "\(run)/merged")
        if name == "mine" {
          try Program.succeed(["distill", run])
          try Program.succeed(["merge", run, "--method", "naive"])
          try files.removeItem(atPath: "\(run)/merged/naive.safetensors")
        }
        #expect(try contents(of: "\(run)/merged") == before)
        try files.removeItem(atPath: file)
      }
    }
  }

  @Test func `each step of a chain that learns leaves its own curve`() throws {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      try Program.succeed(["train"] + members(run))
      let chain = "mergemany+unit-weights(epochs=2)+fine-tune(epochs=1)"
      let merge = [
        "merge", run, "--method", chain.replacing("+", with: ","), "--method", "naive",
      ]
      try Program.succeed(merge)
      let log = try RunFolder(run).readLearningLog()
      #expect(
        log.curves.map(\.learner) == [
          .member(0), .member(1), .merge(chain: chain, step: 1), .merge(chain: chain, step: 2),
        ])
      #expect(log.curves.map { $0.epochs.map(\.epoch) } == [[1], [1], [1, 2], [1]])
      let lines = try String(contentsOfFile: "\(run)/metrics.jsonl", encoding: .utf8)
        .split(separator: "\n")
      #expect(lines.count == 5)
      #expect(lines[0].contains("\"index\":0") && lines[0].contains("\"stage\":\"member\""))
      for (line, step) in zip(lines[2...], [1, 1, 2]) {
        for pair in ["\"chain\":\"\(chain)\"", "\"stage\":\"merge\"", "\"step\":\(step)"] {
          #expect(line.contains(pair), "\(line)")
        }
      }
      try Program.succeed(["evaluate", run])
      try Program.succeed(["report", run])
      let page = try String(contentsOfFile: "\(run)/report.html", encoding: .utf8)
      for step in ["step 2: unit-weights(epochs=2)", "step 3: fine-tune(epochs=1)"] {
        #expect(page.contains("merged by \(chain), \(step)"), "\(step)")
      }

      // Merged anew there are not four.
      try files.removeItem(atPath: "\(run)/merged/\(chain).safetensors")
      try Program.succeed(merge)
      #expect(try RunFolder(run).readLearningLog() == log)
    }
  }
}
