import Experiments

extension Report {
  /// Loss and accuracy on the way from one member to another.
  var lineSection: HTMLPage.Section? {
    guard !results.lines.isEmpty else { return nil }
    func series(
      _ value: (Results.Value) -> Double
    ) -> [LineChart.Series] {
      results.lines.flatMap { line in
        let name = line.alignment.map { "member \(line.to) permuted by \($0)" } ?? "as trained"
        let color = line.alignment == nil ? Palette.naive : Palette.merged
        return [
          LineChart.Series(
            name: "\(name), test", color: color,
            points: line.points.map { ($0.lambda, value($0.test)) }),
          LineChart.Series(
            name: "\(name), training", color: color, isDashed: true,
            points: line.points.map { ($0.lambda, value($0.training)) }),
        ]
      }
    }
    let charts = [
      LineChart(
        title: "Loss", xLabel: "λ, the share of member 1", yLabel: "nats", series: series(\.loss)),
      LineChart(
        title: "Accuracy", xLabel: "λ, the share of member 1", yLabel: "%",
        series: series { 100 * $0.accuracy }),
    ]
    let barriers = results.lines.map { line in
      "\(line.alignment.map { "permuted by \(escaped($0))" } ?? "as trained"):"
        + " \(decimal(line.barrier, 3)) nats"
    }
    return HTMLPage.Section(
      heading: "On the line between two members",
      caption:
        "The networks (1 − λ) θ₀ + λ θ₁. Where permutations help, the hill between the members"
        + " goes. Highest test loss above the line between the ends, "
        + barriers.joined(separator: "; ") + ".",
      body: "<div class=\"row\">\(charts.map(\.figure).joined())</div>" + LineChart.legend(charts))
  }
}

extension Results.Line {
  /// The loss barrier on the test set: max_λ [L(θ_λ) − ((1 − λ) L(θ_0) + λ L(θ_1))], in nats.
  var barrier: Double {
    guard let first = points.first, let last = points.last else { return 0 }
    return points.reduce(0) { barrier, point in
      let straight = (1 - point.lambda) * first.test.loss + point.lambda * last.test.loss
      return max(barrier, point.test.loss - straight)
    }
  }
}
