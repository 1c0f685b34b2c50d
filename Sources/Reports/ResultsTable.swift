import Experiments
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
    if row.predictor.kind == .member, members.count > 5 { continue }
    append(
      row.predictor.name, row.test, row, thesis: isThesis ? ThesisFigures.accuracy(of: row) : nil)
    if row.predictor == members.last?.predictor, members.count > 1, members.count <= 5 {
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
  let chance = 1.5 / Double(experiment.architecture.outputs)
  let collapsed = (members + results.rows(.student)).filter { $0.test.accuracy < chance }
  if !collapsed.isEmpty {
    text +=
      "\n\nNo better than chance, collapsed in training: "
      + collapsed.map(\.predictor.name).joined(separator: ", ") + "."
  }
  return text
}
