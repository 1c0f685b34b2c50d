import Training

/// The results as a table, one row a predictor; many members are summed up.
func resultsTable(_ results: Results, _ experiment: Experiment) -> String {
  let isThesis = experiment.isThesis
  var table = TextTable(
    ["test set", "accuracy %"] + (isThesis ? ["thesis %"] : [])
      + ["NLL", "Brier", "ECE", "parameters", "passes"])
  func append(_ name: String, _ scores: Scores, _ row: Results.Row?, thesis: String?) {
    table.append(
      [name, decimal(100 * scores.accuracy, 2)] + (isThesis ? [thesis ?? ""] : [])
        + [
          decimal(scores.nll, 4), decimal(scores.brier, 4), decimal(scores.ece, 4),
          row.map { grouped($0.parameters) } ?? "", row.map { "\($0.forwardPasses)" } ?? "",
        ])
  }
  let members = results.rows(.member)
  for row in results.rows {
    if row.kind == .member, members.count > 5 { continue }
    append(
      row.name, row.test, row, thesis: isThesis ? ThesisFigures.accuracy(of: row) : nil)
    if row == members.last, members.count > 1, members.count <= 5 {
      append("mean member", .mean(of: members.map(\.test)), nil, thesis: nil)
    }
  }
  if members.count > 5 {
    append("mean of \(members.count) members", .mean(of: members.map(\.test)), nil, thesis: nil)
  }
  var text = table.text
  if let disagreement = results.disagreement {
    text += "\n\nTwo members disagree on \(decimal(100 * disagreement, 1)) % of the test set."
  }
  return text
}

extension Scores {
  /// The mean of each score.
  static func mean(of scores: [Scores]) -> Scores {
    func mean(_ value: (Scores) -> Double) -> Double {
      scores.reduce(0) { $0 + value($1) } / Double(scores.count)
    }
    return Scores(
      accuracy: mean(\.accuracy), nll: mean(\.nll), brier: mean(\.brier), ece: mean(\.ece))
  }
}

/// A number with its digits in threes, `407,050`.
func grouped(_ number: Int) -> String {
  let digits = Array(String(abs(number)))
  var text = number < 0 ? "-" : ""
  for (place, digit) in digits.enumerated() {
    if place > 0, (digits.count - place).isMultiple(of: 3) { text += "," }
    text.append(digit)
  }
  return text
}
