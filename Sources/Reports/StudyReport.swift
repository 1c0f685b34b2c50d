import Experiments
import Training

/// The page that shows a study to a person: `study.html`.
struct StudyReport {
  private let table: StudyTable
  private let summaries: [StudyTable.Summary]

  init(_ table: StudyTable) {
    self.table = table
    summaries = table.summaries
  }

  var html: String {
    let experiment = table.plan.experiment
    guard !table.isAboutMessages else { return messagePage }
    return HTMLPage(
      title: "One network from M, of \(experiment.architecture) on \(experiment.dataset.rawValue)",
      lead:
        "What one merged network reaches as the ensemble grows, beside its members, their ensemble,"
        + " a distilled student and controls; mean and standard deviation over"
        + " \(counted(table.plan.seedCount, "seed")).",
      sections: [charts, section("Accuracy, %", \.accuracy, \.percent)]
        + [
          section("Negative log likelihood, nats", \.nll, \.number),
          section("Expected calibration error", \.ece, \.number),
        ]
    ).html
  }

  // MARK: - Messages

  /// The page of a study whose members have their own images, or are coupled.
  private var messagePage: String {
    let experiment = table.plan.experiment
    let split = experiment.shards.map {
      " Each member has its own images, split by <code>\(escaped($0.rule.description))</code>"
        + ($0.size.map { ", \(grouped($0)) each" } ?? "") + "."
    }
    let known = summaries.filter { $0.bytes != nil }
    let chart = CostChart(
      title: "Accuracy on the test set, %, against bytes", unit: "%",
      points: known.enumerated().map { place, summary in
        CostChart.Point(
          name: summary.name, color: style(summary.kind, summary.name, place).color,
          bytes: summary.bytes ?? 0, value: 100 * summary.accuracy.mean,
          deviation: 100 * (summary.accuracy.deviation ?? 0))
      })
    let front = Set(chart.front.map(\.name))
    var number = 0
    let rows = summaries.map { summary in
      number += summary.bytes == nil ? 0 : 1
      return (
        cells: [
          summary.bytes == nil ? "" : "\(number)", escaped(summary.name),
          summary.accuracy.percent + table.plan.mark(summary.seeds), summary.nll.number,
          summary.ece.number, grouped(summary.parameters), String(summary.forwardPasses),
          summary.rounds.map(grouped) ?? "", summary.bytes.map(readableBytes) ?? "",
        ], isStrong: front.contains(summary.name)
      )
    }
    return HTMLPage(
      title: "\(counted(experiment.members, "member")) of \(experiment.architecture) on"
        + " \(experiment.dataset.rawValue): what a network costs in messages",
      lead: "What one network reaches against the bytes that ranks had to send for it, over"
        + " \(counted(table.plan.seedCount, "seed")).\(split ?? "")",
      sections: [
        HTMLPage.Section(
          heading: "Accuracy against bytes",
          caption:
            "A dot is a predictor, by its number in the table; bars are one standard deviation over seeds. No dot"
            + " on the dashed line is beaten by one that sends less. What is far below lies outside.",
          body: chart.figure),
        HTMLPage.Section(
          heading: "All predictors",
          caption:
            "On the test set, which nothing was chosen by. Rounds are how often all ranks had to hear of each other;"
            + " bytes are the payload of all ranks together, as their ledgers have it. The images were with the members.",
          body: htmlTable(
            [
              "", "predictor", "accuracy %", "NLL, nats", "ECE", "parameters<br>stored",
              "passes<br>an input", "rounds", "sent",
            ], rows)),
      ]
    ).html
  }

  // MARK: - Charts

  private var charts: HTMLPage.Section {
    let charts = [
      chart("Accuracy", "%") { $0.accuracy }.scaled(by: 100),
      chart("Negative log likelihood", "nats") { $0.nll },
      chart("Expected calibration error", "") { $0.ece },
    ]
    let isCut = charts.contains { $0.isCut }
    return HTMLPage.Section(
      heading: "Against M",
      caption: "Bars are one standard deviation over seeds; sizes are equally far apart."
        + (isCut ? " What is far from the ensemble lies outside, and in the tables." : ""),
      body: charts.map { $0.figure(sizes: table.plan.sizes) + ScalingChart.legend([$0]) }.joined())
  }

  private func chart(
    _ title: String, _ unit: String, _ value: (StudyTable.Summary) -> StudyTable.Spread
  ) -> ScalingChart {
    let lines = table.names.enumerated().map { place, name in
      let own = summaries.filter { $0.name == name }
      return ScalingChart.Line(
        name: name, style: style(own.first?.kind ?? .merged, name, place),
        points: own.map { ($0.members, value($0).mean, value($0).deviation ?? 0) })
    }
    return ScalingChart(title: title, unit: unit, lines: lines)
  }

  private func style(
    _ kind: Predictor.Kind, _ name: String, _ place: Int
  ) -> ScalingChart.Style {
    switch kind {
    case .member: .init(color: Palette.member, dash: "")
    case .ensemble: .init(color: Palette.ensemble, dash: name.hasSuffix("logits") ? "5 4" : "")
    case .student: .init(color: Palette.student, dash: "")
    case .merged, .control, .exchange:
      .init(
        color: Palette.many[place % Palette.many.count],
        dash: ["", "6 3", "2 3"][place / Palette.many.count % 3])
    }
  }

  // MARK: - Tables

  private func section(
    _ heading: String, _ value: KeyPath<StudyTable.Summary, StudyTable.Spread>,
    _ text: KeyPath<StudyTable.Spread, String>
  ) -> HTMLPage.Section {
    let sizes = table.plan.sizes
    let rows = table.names.map { name in
      (
        cells: [escaped(name)]
          + sizes.map { size in
            summaries.first { $0.members == size && $0.name == name }
              .map { $0[keyPath: value][keyPath: text] + table.plan.mark($0.seeds) } ?? ""
          },
        isStrong: false
      )
    }
    return HTMLPage.Section(
      heading: heading, caption: "On the test set, which nothing was chosen by.",
      body: htmlTable(["predictor"] + sizes.map { "M = \($0)" }, rows))
  }
}

extension Palette {
  /// Colours for many ways to merge, told apart by colour-blind readers (Okabe & Ito 2008, without those in use).
  static let many = ["#0f766e", "#0072b2", "#cc79a7", "#65a30d", "#56b4e9", "#dc2626", "#1f2937"]
}
