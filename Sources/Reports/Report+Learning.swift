import Experiments
import Merging
import Networks
import Tensors

extension Report {
  /// The curves of everything that learned.
  var learningSection: HTMLPage.Section? {
    guard !log.records.isEmpty else { return nil }
    let charts = [
      LineChart(
        title: "Training loss", xLabel: "epoch", yLabel: "nats", series: series(\.loss)),
      LineChart(
        title: "Training accuracy", xLabel: "epoch", yLabel: "%",
        series: series { 100 * $0.accuracy }),
      LineChart(
        title: "Accuracy on held-out images", xLabel: "epoch", yLabel: "%",
        series: series { $0.validationAccuracy.map { 100 * $0 } }),
      LineChart(
        title: "Sharpness of the learned matrices", xLabel: "epoch",
        yLabel: "mean largest entry of a row", series: series(\.sharpness)),
    ].filter { chart in chart.series.contains { !$0.points.isEmpty } }
    return HTMLPage.Section(
      heading: "Learning",
      caption:
        "Loss and accuracy are of the training batches, each before its own step; a student's"
        + " loss is its distillation loss, which is on another scale.",
      body: "<div class=\"row\">\(charts.map(\.figure).joined())</div>" + LineChart.legend(charts))
  }

  private func series(_ value: (EpochRecord) -> Double?) -> [LineChart.Series] {
    log.curves.map { learner, epochs in
      let (name, color) =
        switch learner {
        case .member: ("members", Palette.member)
        case .student: ("students", Palette.student)
        case .merge(let chain, let step): (Self.name(of: step, in: chain), Palette.merged)
        }
      return LineChart.Series(
        name: name, color: color,
        points: epochs.compactMap { epoch in value(epoch).map { (Double(epoch.epoch), $0) } })
    }
  }

  /// A chain, and which of its steps learned if it has several.
  private static func name(of step: Int, in chain: String) -> String {
    let links = MethodChain(chain)?.links ?? []
    guard links.count > 1, links.indices.contains(step) else { return "merged by \(chain)" }
    return "merged by \(chain), step \(step + 1): \(links[step].description)"
  }
}
