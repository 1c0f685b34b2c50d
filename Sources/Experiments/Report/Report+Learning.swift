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

  private func series(
    _ value: (LearningLog.Record) -> Double?
  ) -> [LineChart.Series] {
    func lines(_ stage: String, _ name: String, _ color: String) -> [LineChart.Series] {
      log.curves(stage).map { _, records in
        LineChart.Series(
          name: name, color: color,
          points: records.compactMap { record in
            value(record).map { (Double(record.epoch), $0) }
          })
      }
    }
    return lines("member", "members", Palette.member)
      + lines("student", "students", Palette.student)
      + log.mergingStages.flatMap { lines($0, "merged by \($0)", Palette.merged) }
  }
}
