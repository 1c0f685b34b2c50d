import Foundation
import TestSupport
import Testing

@testable import Experiments

@Suite(.serialized) struct ThesisTests {
  @Test(.timeLimit(.minutes(5)))
  func `the thesis in small on real data: naive falls, permutations and distillation hold`() throws
  {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      let outcome = try Program.permavg(
        ranks: 3,
        [
          "run", "--recipe", "thesis", "--architecture", "784-128-10", "--epochs", "3",
          "--permavg-epochs", "3", "--output", run,
        ])
      try #require(outcome.status == 0, "\(outcome.errors)")
      let results = try #require(try RunFolder(run).readResults())
      func accuracy(_ name: String) throws -> Double {
        try #require(results.row(named: name), "\(name)").test.accuracy
      }
      let members = results.rows(.member).map(\.test.accuracy)
      let worst = try #require(members.min())
      #expect(members.count == 3 && worst > 0.78)
      #expect(try accuracy("ensemble, mean logits") > members.reduce(0, +) / 3)
      #expect(try accuracy("naive") < worst - 0.02)
      // The recipe's schedule is a setting of the chain.
      let permavg = "permavg(epochs=3,schedule=thesis)"
      #expect(try accuracy(permavg) > 0.8)
      #expect(try accuracy("\(permavg)-hard") > 0.8)
      #expect(try accuracy("student 0") > 0.78)

      // The way from member to member is flatter once they are permuted.
      let barriers = Dictionary(uniqueKeysWithValues: results.barriers.map { ($0.alignment, $0) })
      let (naive, learned) = (
        try #require(barriers[nil]), try #require(barriers[permavg])
      )
      #expect(learned.pairs[0].barrier.test.loss < 0.5 * naive.pairs[0].barrier.test.loss)
      #expect(learned.mean.training.loss < 0.5 * naive.mean.training.loss)
      #expect(learned.barycentre.excess.test.accuracy < naive.barycentre.excess.test.accuracy)
      try checkTable(outcome.output, results)
      try checkReport("\(run)/report.html")
    }
  }

  private func checkTable(_ output: String, _ results: Results) throws {
    for row in results.rows {
      let line = output.split(separator: "\n").first { $0.hasPrefix(row.predictor.name + " ") }
      #expect(try #require(line).contains(decimal(100 * row.test.accuracy, 2)))
    }
  }

  private func checkReport(_ path: String) throws {
    let page = try String(contentsOfFile: path, encoding: .utf8)
    for heading in [
      "Results", "Learning", "A learned permutation", "On the line between two members",
      "Barriers", "Communication", "Settings",
    ] {
      #expect(page.contains("<h2>\(heading)</h2>"))
    }
    #expect(page.components(separatedBy: "data:image/png;base64,").count == 4)
    for outside in ["http://", "https://", "<script", "<link", "@import"] {
      #expect(!page.contains(outside), "the page reaches outside by \(outside)")
    }
    #expect(!page.contains("nan") && !page.contains(">inf"))
  }
}
