import Experiments
import Foundation

/// A chart of lines as SVG.
struct LineChart {
  struct Series {
    let name: String
    let color: String
    var isDashed = false
    let points: [(x: Double, y: Double)]
  }

  let title: String
  let xLabel: String
  let yLabel: String
  let series: [Series]
  /// How an axis value is written.
  var format: (Double) -> String = { tickText($0) }

  private let width = 460.0
  private let height = 280.0
  private let left = 52.0
  private let right = 12.0
  private let top = 10.0
  private let bottom = 40.0

  var figure: String {
    "<figure><figcaption>\(escaped(title))</figcaption>\n\(svg)</figure>"
  }

  private var svg: String {
    let points = series.flatMap(\.points).filter { $0.x.isFinite && $0.y.isFinite }
    guard let x = Axis(points.map(\.x), isTight: true), let y = Axis(points.map(\.y)) else {
      return "<p class=\"note\">nothing to draw</p>"
    }
    func place(_ point: (x: Double, y: Double)) -> (String, String) {
      let px = left + x.position(point.x) * (width - left - right)
      let py = top + (1 - y.position(point.y)) * (height - top - bottom)
      return (decimal(px, 1), decimal(py, 1))
    }
    var parts: [String] = []
    for tick in y.ticks {
      let (x1, py) = place((x.low, tick))
      parts.append(
        "<line x1=\"\(x1)\" x2=\"\(width - right)\" y1=\"\(py)\" y2=\"\(py)\" stroke=\"#e5e7eb\"/>"
          + "<text x=\"\(left - 6)\" y=\"\(py)\" dy=\"4\" text-anchor=\"end\">\(format(tick))</text>"
      )
    }
    for tick in x.ticks {
      let (px, _) = place((tick, y.low))
      parts.append(
        "<text x=\"\(px)\" y=\"\(height - bottom + 17)\" text-anchor=\"middle\">\(tickText(tick))</text>"
      )
    }
    parts.append(
      "<line x1=\"\(left)\" x2=\"\(width - right)\" y1=\"\(height - bottom)\" y2=\"\(height - bottom)\""
        + " stroke=\"#9ca3af\"/>")
    for line in series {
      let path = line.points.filter { $0.y.isFinite }.map {
        let (px, py) = place($0)
        return "\(px),\(py)"
      }
      parts.append(
        "<polyline fill=\"none\" stroke=\"\(line.color)\" stroke-width=\"2\""
          + (line.isDashed ? " stroke-dasharray=\"5 4\"" : "")
          + " points=\"\(path.joined(separator: " "))\"><title>\(escaped(line.name))</title></polyline>"
      )
    }
    parts.append(
      "<text x=\"\((left + width - right) / 2)\" y=\"\(height - 4)\" text-anchor=\"middle\">"
        + "\(escaped(xLabel))</text>")
    parts.append(
      "<text transform=\"translate(12 \((top + height - bottom) / 2)) rotate(-90)\""
        + " text-anchor=\"middle\">\(escaped(yLabel))</text>")
    return """
      <svg viewBox="0 0 \(width) \(height)" font-size="12" fill="#4b5563" role="img">
      \(parts.joined(separator: "\n"))
      </svg>
      """
  }

  /// What the lines of some charts mean, each name once.
  static func legend(_ charts: [LineChart]) -> String {
    var seen: [String] = []
    let items = charts.flatMap(\.series).compactMap { series -> String? in
      guard !seen.contains(series.name) else { return nil }
      seen.append(series.name)
      let dash = series.isDashed ? " stroke-dasharray=\"5 4\"" : ""
      return
        "<li><svg width=\"26\" height=\"8\"><line x1=\"0\" x2=\"26\" y1=\"4\" y2=\"4\" stroke=\""
        + "\(series.color)\" stroke-width=\"2.5\"\(dash)/></svg>\(escaped(series.name))</li>"
    }
    return "<ul class=\"legend\">\(items.joined())</ul>"
  }
}

/// A range of values with round ticks.
struct Axis {
  let low: Double
  let high: Double
  let ticks: [Double]

  /// An axis that holds some values; nil if there are none.
  ///
  /// - Parameters:
  ///   - values: finite numbers.
  ///   - isTight: whether the axis ends at the values rather than at ticks.
  init?(_ values: [Double], isTight: Bool = false) {
    guard let least = values.min(), let most = values.max() else { return nil }
    let span = most > least ? most - least : max(abs(most), 1) * 0.1
    let rough = span / 5
    let power = pow(10, floor(log10(rough)))
    let step = ([1, 2, 5, 10].first { $0 * power >= rough } ?? 10) * power
    let first = isTight ? (least / step).rounded(.up) : (least / step).rounded(.down)
    let last = isTight ? (most / step).rounded(.down) : (most / step).rounded(.up)
    ticks = stride(from: first, through: last, by: 1).map { $0 * step }
    low = isTight ? least : first * step
    high = isTight ? max(most, least + span) : max(last * step, first * step + step)
  }

  /// Where a value lies, from 0 to 1.
  func position(_ value: Double) -> Double { (value - low) / (high - low) }
}

/// A number with no more decimals than it needs, up to three.
func tickText(_ value: Double) -> String {
  let text = decimal(value, 3)
  let trimmed = text.replacing(#/\.?0+$/#, with: "")
  return trimmed == "-0" || trimmed.isEmpty ? "0" : trimmed
}
