import Foundation
import Merging
import Networks
import TestSupport
import Testing

@testable import Experiments
@testable import Reports

/// Which means of members are looked at, and what is made of them.
@Suite struct BarrierTests {
  @Test(arguments: [(2, 1), (3, 3), (4, 6), (5, 6), (32, 6)])
  func `all pairs of up to four members are looked at, six of more`(members: Int, pairs: Int) {
    let plan = BarrierPlan(members: members, seed: 1)
    #expect(plan.pairs.count == pairs)
    #expect(plan.pairs[0] == .init(from: 0, to: 1, steps: 24))
    #expect(plan.pairs.dropFirst().allSatisfy { $0.steps == 10 })
    #expect(plan.pairs.allSatisfy { 0 <= $0.from && $0.from < $0.to && $0.to < members })
    #expect(Set(plan.pairs.map { [$0.from, $0.to] }).count == pairs)
    #expect(plan.weights.count == 23 + 9 * (pairs - 1) + 8 + 1)
    for weights in plan.weights {
      #expect(weights.count == members && weights.allSatisfy { $0 >= 0 })
      #expect(abs(weights.reduce(0, +) - 1) < 1e-12)
    }
    #expect(plan.draws == BarrierPlan(members: members, seed: 1).draws)
    #expect(plan.draws != BarrierPlan(members: members, seed: 2).draws)
  }

  @Test func `pairs and draws follow the seed`() {
    let plans = (0..<4).map { BarrierPlan(members: 12, seed: UInt64($0)) }
    #expect(Set(plans.map { $0.pairs.map { [$0.from, $0.to] } }).count > 1)
    // Uniform over the simplex: of three members each has a third on average.
    let draws = (0..<200).flatMap { BarrierPlan(members: 3, seed: UInt64($0)).draws }
    for member in 0..<3 {
      let mean = draws.reduce(0) { $0 + $1[member] } / Double(draws.count)
      #expect(abs(mean - 1.0 / 3) < 0.03)
      let square = draws.reduce(0) { $0 + $1[member] * $1[member] } / Double(draws.count)
      #expect(abs(square - 1.0 / 6) < 0.03)
    }
  }

  /// Losses that are known for any weights, so that every barrier is known too.
  private func read(
    _ plan: BarrierPlan, _ loss: ([Double]) -> Double, _ accuracy: ([Double]) -> Double
  ) -> (line: Results.Line, barrier: Results.Barrier) {
    func values(_ weights: [Double]) -> Results.Values {
      .init(
        training: .init(loss: 2 * loss(weights), accuracy: accuracy(weights)),
        test: .init(loss: loss(weights), accuracy: accuracy(weights)))
    }
    let ends = (0..<plan.members).map { member in
      values((0..<plan.members).map { $0 == member ? 1 : 0 })
    }
    return plan.read("test", ends: ends, means: plan.weights.map(values))
  }

  @Test func `a hill between members is as high as it is`() {
    let plan = BarrierPlan(members: 3, seed: 1)
    // Member m has the loss m + 1; products make hills of a quarter at the middle, twice that of 1 and 2.
    func loss(_ w: [Double]) -> Double {
      w[0] + 2 * w[1] + 3 * w[2] + w[0] * w[1] + w[0] * w[2] + 2 * w[1] * w[2]
    }
    func accuracy(_ w: [Double]) -> Double { 0.9 - 0.4 * w[1] * w[2] }
    let (line, barrier) = read(plan, loss, accuracy)
    func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) < 1e-12 }

    #expect(line.points.count == 25 && line.points[12].lambda == 0.5)
    #expect(close(line.points[12].test.loss, 1.75) && close(line.barrier, 0.25))
    #expect(line.points[0].test.loss == 1 && line.points[24].training.loss == 4)
    #expect(
      barrier.pairs.map { [$0.from, $0.to, $0.points] } == [[0, 1, 25], [0, 2, 11], [1, 2, 11]])
    let tops = barrier.pairs.map(\.barrier)
    #expect(zip(tops, [0.25, 0.25, 0.5]).allSatisfy { close($0.test.loss, $1) })
    #expect(zip(tops, [0, 0, 0.1]).allSatisfy { close($0.test.accuracy, $1) })
    #expect(close(barrier.mean.test.loss, 1.0 / 3) && close(barrier.mean.training.loss, 2.0 / 3))
    #expect(close(barrier.largest.test.loss, 0.5) && close(barrier.largest.training.loss, 1))
    #expect(close(barrier.largest.test.accuracy, 0.1))

    let third = [1.0 / 3, 1.0 / 3, 1.0 / 3]
    #expect(barrier.barycentre.networks == 1 && barrier.simplex.networks == 8)
    #expect(close(barrier.barycentre.value.test.loss, loss(third)))
    #expect(close(barrier.barycentre.excess.test.loss, 4.0 / 9))
    #expect(close(barrier.barycentre.excess.test.accuracy, 0.4 / 9))
    let mean = plan.draws.reduce(0) { $0 + loss($1) } / 8
    let chord = plan.draws.reduce(0) { $0 + $1[0] + 2 * $1[1] + 3 * $1[2] } / 8
    #expect(close(barrier.simplex.value.test.loss, mean))
    #expect(close(barrier.simplex.excess.test.loss, mean - chord))
  }

  @Test func `a valley is no barrier, and its excess is negative`() {
    let plan = BarrierPlan(members: 2, seed: 1)
    let (_, barrier) = read(plan, { 1 - $0[0] * $0[1] }, { 0.5 + $0[0] * $0[1] })
    #expect(barrier.largest == .zero && barrier.mean == .zero)
    #expect(barrier.barycentre.excess.test == .init(loss: -0.25, accuracy: -0.25))
    #expect(barrier.simplex.excess.training.loss < 0)
  }

  @Test(.timeLimit(.minutes(2)))
  func `a run's barriers are of every alignment, and the members meet where they are merged`()
    throws
  {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      for arguments in [
        [
          "train", "--dataset", "synthetic", "--architecture", "784-12-10", "--epochs", "2",
          "--members", "3", "--output", run,
        ],
        [
          "merge", run, "--method", "naive", "--method", "mergemany", "--method",
          "weight-matching", "--method", "mergemany,harden",
        ],
        ["evaluate", run], ["report", run],
      ] {
        let outcome = try Program.permavg(arguments)
        try #require(outcome.status == 0, "\(outcome.errors)")
      }
      let results = try #require(try RunFolder(run).readResults())
      // As the members are first: that is what naive's mean is of.
      let names = [nil, "weight-matching", "mergemany", "mergemany+harden"]
      #expect(results.barriers.map(\.alignment) == names)
      #expect(results.lines.map(\.alignment) == names)
      #expect(results.barriers[2].pairs == results.barriers[3].pairs)
      for (barrier, line) in zip(results.barriers, results.lines) {
        let merged = try #require(results.row(named: barrier.alignment ?? "naive")).test
        #expect(abs(barrier.barycentre.value.test.loss - merged.nll) < 1e-5)
        #expect(abs(barrier.barycentre.value.test.accuracy - merged.accuracy) < 0.002)
        #expect(barrier.pairs[0].barrier.test.loss == line.barrier)
        for (end, member) in [(0, 0), (24, 1)] {
          #expect(line.points[end].test.accuracy == results.rows[member].test.accuracy)
          #expect(abs(line.points[end].test.loss - results.rows[member].test.nll) < 1e-12)
        }
      }
      #expect(
        results.barriers[1].mean.test.loss < 0.8 * results.barriers[0].mean.test.loss,
        "matching brings members together")
      let page = try String(contentsOfFile: "\(run)/report.html", encoding: .utf8)
      for text in ["<h2>Barriers</h2>", "permuted by mergemany", "as trained"] {
        #expect(page.contains(text), "\(text)")
      }
    }
  }
}
