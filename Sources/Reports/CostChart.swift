import Experiments
import Foundation

/// Accuracy against what it took to send, as SVG: a dot a predictor, bars of one standard deviation, and the line of those
/// that nothing cheaper beats.
struct CostChart {
  struct Point {
    let name: String
    let color: String
    let bytes: Int
    let value: Double
    let deviation: Double
  }

  let title: String
  let unit: String
  let points: [Point]

  private let width = 930.0
  private let height = 440.0
  private let left = 56.0
  private let right = 20.0
  private let top = 12.0
  private let bottom = 44.0

  /// Those that no point of as few bytes or fewer is better than, by rising bytes.
  var front: [Point] {
    var best = -Double.infinity
    return points.sorted { ($0.bytes, -$0.value) < ($1.bytes, -$1.value) }.filter { point in
      guard point.value > best else { return false }
      best = point.value
      return true
    }
  }

  var figure: String {
    "<figure><figcaption>\(escaped(title))</figcaption>\n\(svg)</figure>"
  }

  private var svg: String {
    // What is far below most would press the rest together.
    let values = points.map(\.value).sorted()
    guard let last = values.last, let axis = Axis([values[values.count / 8], last]) else {
      return "<p class=\"note\">nothing to draw</p>"
    }
    let sent = points.map(\.bytes).filter { $0 > 0 }
    let decades = (
      low: floor(log10(Double(sent.min() ?? 1))), high: ceil(log10(Double(sent.max() ?? 10)))
    )
    let columns = max(decades.high - decades.low, 1) + 1
    // What sends nothing has a column of its own, left of the first decade.
    func x(_ bytes: Int) -> Double {
      let place = bytes > 0 ? 1 + log10(Double(bytes)) - decades.low : 0.3
      return left + place / columns * (width - left - right)
    }
    func y(_ value: Double) -> Double {
      top + (1 - axis.position(value)) * (height - top - bottom)
    }
    var parts: [String] = []
    for tick in axis.ticks {
      parts.append(
        "<line x1=\"\(left)\" x2=\"\(width - right)\" y1=\"\(decimal(y(tick), 1))\" y2=\"\(decimal(y(tick), 1))\""
          + " stroke=\"#e5e7eb\"/><text x=\"\(left - 6)\" y=\"\(decimal(y(tick), 1))\" dy=\"4\" text-anchor=\"end\">"
          + "\(tickText(tick))</text>")
    }
    for decade in stride(from: decades.low, through: decades.high, by: 1) {
      let bytes = Int(pow(10, decade))
      parts.append(
        "<text x=\"\(decimal(x(bytes), 1))\" y=\"\(height - bottom + 17)\" text-anchor=\"middle\">\(readableBytes(bytes))</text>"
      )
    }
    parts.append(
      "<text x=\"\(decimal(x(0), 1))\" y=\"\(height - bottom + 17)\" text-anchor=\"middle\">nothing</text>"
        + "<text x=\"\(width / 2)\" y=\"\(height - 6)\" text-anchor=\"middle\">sent by all ranks together</text>"
    )
    let path = front.filter { axis.low <= $0.value }.map {
      "\(decimal(x($0.bytes), 1)),\(decimal(y($0.value), 1))"
    }
    parts.append(
      "<polyline points=\"\(path.joined(separator: " "))\" fill=\"none\" stroke=\"#9ca3af\" stroke-dasharray=\"4 4\"/>"
    )
    for (number, point) in points.enumerated() where point.value >= axis.low {
      let (px, py) = (decimal(x(point.bytes), 1), y(point.value))
      if point.deviation > 0 {
        let ends = (y(point.value - point.deviation), y(point.value + point.deviation))
        parts.append(
          "<line x1=\"\(px)\" x2=\"\(px)\" y1=\"\(decimal(ends.0, 1))\" y2=\"\(decimal(ends.1, 1))\" stroke=\"\(point.color)\"/>"
        )
      }
      parts.append(
        "<circle cx=\"\(px)\" cy=\"\(decimal(py, 1))\" r=\"4\" fill=\"\(point.color)\"><title>\(escaped(point.name)): "
          + "\(decimal(point.value, 2)) \(unit), \(readableBytes(point.bytes))</title></circle>"
          + "<text x=\"\(px)\" y=\"\(decimal(py - 7, 1))\" text-anchor=\"middle\">\(number + 1)</text>"
      )
    }
    return "<svg viewBox=\"0 0 \(width) \(height)\" role=\"img\">\n" + parts.joined(separator: "\n")
      + "\n</svg>\n"
  }
}
