import Experiments

/// Accuracies on one axis, a row a predictor.
///
/// The axis covers the predictors that are near the best one; one far below is an arrow at the edge.
struct DotPlot {
  struct Entry {
    let name: String
    let color: String
    /// From 0 to 1; several for a group such as the members.
    let accuracies: [Double]
  }

  let entries: [Entry]
  private let width = 930.0
  private let left = 230.0
  private let right = 70.0
  private let rowHeight = 26.0

  /// A plot of some predictors.
  init(_ entries: [Entry]) { self.entries = entries }

  var figure: String {
    let all = entries.flatMap(\.accuracies)
    let near = all.filter { $0 > (all.max() ?? 0) - 0.05 }.map { 100 * $0 }
    guard let axis = Axis(near) else { return "" }
    let height = rowHeight * Double(entries.count) + 34
    func place(_ accuracy: Double) -> Double {
      left + axis.position(100 * accuracy) * (width - left - right)
    }
    var parts: [String] = []
    for tick in axis.ticks {
      let x = decimal(place(tick / 100), 1)
      parts.append(
        "<line x1=\"\(x)\" x2=\"\(x)\" y1=\"4\" y2=\"\(height - 28)\" stroke=\"#e5e7eb\"/>"
          + "<text x=\"\(x)\" y=\"\(height - 12)\" text-anchor=\"middle\" fill=\"#6b7280\">"
          + "\(tickText(tick)) %</text>")
    }
    for (row, entry) in entries.enumerated() {
      let y = rowHeight * (Double(row) + 0.5) + 4
      parts.append(
        "<text x=\"\(left - 16)\" y=\"\(y)\" dy=\"4\" text-anchor=\"end\">\(escaped(entry.name))</text>"
      )
      let inside = entry.accuracies.filter { 100 * $0 >= axis.low }
      for accuracy in inside {
        parts.append(
          "<circle cx=\"\(decimal(place(accuracy), 1))\" cy=\"\(y)\" r=\"6\" fill=\"\(entry.color)\""
            + " fill-opacity=\"0.85\"><title>\(decimal(100 * accuracy, 2)) %</title></circle>")
      }
      if let least = entry.accuracies.min(), inside.count < entry.accuracies.count {
        parts.append(
          "<path d=\"M\(left - 4) \(y) l10 -6 v12 z\" fill=\"\(entry.color)\"/><text x=\"\(left + 12)\""
            + " y=\"\(y)\" dy=\"4\">\(decimal(100 * least, 2)) %</text>")
      } else if entry.accuracies.count == 1, let only = inside.first {
        parts.append(
          "<text x=\"\(decimal(place(only) + 11, 1))\" y=\"\(y)\" dy=\"4\">"
            + "\(decimal(100 * only, 2)) %</text>")
      }
    }
    return """
      <figure><svg viewBox="0 0 \(width) \(height)" font-size="13" fill="#1f2937" role="img">
      \(parts.joined(separator: "\n"))
      </svg></figure>
      """
  }
}
