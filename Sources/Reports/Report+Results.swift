import Experiments
import Training

extension Report {
  /// The table and the dots of accuracy.
  var resultsSection: HTMLPage.Section {
    let isThesis = experiment.isThesis
    let header =
      ["test set", "accuracy %"] + (isThesis ? ["thesis %"] : [])
      + [
        "NLL, nats", "ECE", "Brier", "parameters<br>stored", "passes<br>an input",
        "seconds<br>to make",
      ]
    let rows = results.rows.map { row in
      let cells =
        [
          "<span class=\"dot\" style=\"background:\(Palette.color(of: row))\"></span>"
            + escaped(row.predictor.name),
          decimal(100 * row.test.accuracy, 2),
        ]
        + (isThesis ? [ThesisFigures.accuracy(of: row) ?? ""] : [])
        + [
          decimal(row.test.nll, 4), decimal(row.test.ece, 4), decimal(row.test.brier, 4),
          grouped(row.parameters), String(row.forwardPasses), seconds(row),
        ]
      return (cells, row.predictor.chain?.links.map(\.method.name) == ["permavg"])
    }
    var note =
      "Seconds are for the step itself: a merged network and a student also need the members, an"
      + " ensemble nothing else."
    if let disagreement = results.disagreement {
      note +=
        " Two members disagree on \(decimal(100 * disagreement, 1)) % of the test set."
    }
    return HTMLPage.Section(
      heading: "Results",
      caption: "One network should reach what the ensemble reaches, with an ensemble's"
        + " 1/\(experiment.members) of the parameters and of the passes.",
      body: dots + htmlTable(header, rows.map { (cells: $0.0, isStrong: $0.1) })
        + "<p class=\"note\">\(note)</p>")
  }

  private var dots: String {
    var entries: [DotPlot.Entry] = []
    let members = results.rows(.member).map(\.test.accuracy)
    entries.append(.init(name: "members", color: Palette.member, accuracies: members))
    for row in results.rows where [.ensemble, .merged, .control].contains(row.predictor.kind) {
      entries.append(
        .init(
          name: row.predictor.name, color: Palette.color(of: row), accuracies: [row.test.accuracy]))
    }
    let students = results.rows(.student).map(\.test.accuracy)
    if !students.isEmpty {
      entries.append(.init(name: "distilled", color: Palette.student, accuracies: students))
    }
    return DotPlot(entries).figure
  }

  private func seconds(_ row: Results.Row) -> String {
    guard let file = row.file,
      let seconds = timings.seconds[file.replacing(".safetensors", with: "")]
    else { return "" }
    return decimal(seconds, seconds < 10 ? 2 : 1)
  }
}
