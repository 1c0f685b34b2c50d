import Experiments

/// Scores against the ensemble's size, with bars of one standard deviation, as SVG.
///
/// Sizes are set equally far apart, in their order. What is far outside the range of most lines is left out.
struct ScalingChart {
  struct Style: Equatable {
    let color: String
    /// As SVG's `stroke-dasharray`; empty for none.
    let dash: String
  }

  struct Line {
    let name: String
    let style: Style
    var points: [(size: Int, mean: Double, deviation: Double)]
  }

  let title: String
  let unit: String
  var lines: [Line]

  private let width = 930.0
  private let height = 360.0
  private let left = 56.0
  private let right = 12.0
  private let top = 10.0
  private let bottom = 40.0

  init(title: String, unit: String, lines: [Line]) {
    self.title = title
    self.unit = unit
    self.lines = lines
  }

  /// The chart in other units.
  func scaled(by factor: Double) -> ScalingChart {
    var result = self
    for line in lines.indices {
      result.lines[line].points = lines[line].points.map {
        ($0.size, factor * $0.mean, factor * $0.deviation)
      }
    }
    return result
  }

  /// The values between which nearly all of the lines lie: three quarters of the points, and as much again on both sides.
  private var range: ClosedRange<Double> {
    let values = lines.flatMap(\.points).map(\.mean).filter(\.isFinite).sorted()
    guard let first = values.first, let last = values.last else { return 0...1 }
    let (low, high) = (values[values.count / 8], values[values.count - 1 - values.count / 8])
    let margin = max(high - low, (last - first) * 0.02)
    return max(first, low - margin)...min(last, high + margin)
  }

  /// Whether something lies outside.
  var isCut: Bool {
    let range = range
    return lines.contains { $0.points.contains { !range.contains($0.mean) } }
  }

  func figure(sizes: [Int]) -> String {
    "<figure><figcaption>\(escaped(title))</figcaption>\n\(svg(sizes))</figure>"
  }

  private func svg(_ sizes: [Int]) -> String {
    let range = range
    guard !sizes.isEmpty, lines.contains(where: { !$0.points.isEmpty }),
      let axis = Axis([range.lowerBound, range.upperBound])
    else { return "<p class=\"note\">nothing to draw</p>" }
    func x(_ size: Int) -> Double {
      let place = Double(sizes.firstIndex(of: size) ?? 0) + 0.5
      return left + place / Double(sizes.count) * (width - left - right)
    }
    func y(_ value: Double) -> Double {
      top + (1 - axis.position(value)) * (height - top - bottom)
    }
    var parts: [String] = []
    for tick in axis.ticks {
      let place = decimal(y(tick), 1)
      parts.append(
        "<line x1=\"\(left)\" x2=\"\(width - right)\" y1=\"\(place)\" y2=\"\(place)\" stroke=\"#e5e7eb\"/>"
          + "<text x=\"\(left - 6)\" y=\"\(place)\" dy=\"4\" text-anchor=\"end\">\(tickText(tick))</text>"
      )
    }
    for size in sizes {
      parts.append(
        "<text x=\"\(decimal(x(size), 1))\" y=\"\(height - bottom + 17)\" text-anchor=\"middle\">\(size)</text>"
      )
    }
    parts.append(
      "<text x=\"\((left + width - right) / 2)\" y=\"\(height - 4)\" text-anchor=\"middle\">members M</text>"
    )
    if !unit.isEmpty {
      parts.append(
        "<text transform=\"translate(12 \((top + height - bottom) / 2)) rotate(-90)\""
          + " text-anchor=\"middle\">\(escaped(unit))</text>")
    }
    for line in lines { parts.append(draw(line, axis, x, y)) }
    return """
      <svg viewBox="0 0 \(width) \(height)" font-size="12" fill="#4b5563" role="img">
      \(parts.joined(separator: "\n"))
      </svg>
      """
  }

  private func draw(
    _ line: Line, _ axis: Axis, _ x: (Int) -> Double, _ y: (Double) -> Double
  ) -> String {
    // Runs of neighbouring points that lie inside.
    var runs: [[String]] = [[]]
    var marks = ""
    let color = line.style.color
    for point in line.points {
      guard point.mean >= axis.low, point.mean <= axis.high else {
        runs.append([])
        continue
      }
      let (px, py) = (decimal(x(point.size), 1), decimal(y(point.mean), 1))
      runs[runs.count - 1].append("\(px),\(py)")
      let low = decimal(y(max(point.mean - point.deviation, axis.low)), 1)
      let high = decimal(y(min(point.mean + point.deviation, axis.high)), 1)
      marks +=
        "<line x1=\"\(px)\" x2=\"\(px)\" y1=\"\(low)\" y2=\"\(high)\" stroke=\"\(color)\"/>"
        + "<circle cx=\"\(px)\" cy=\"\(py)\" r=\"2.5\" fill=\"\(color)\"/>"
    }
    let paths = runs.filter { $0.count > 1 }.map {
      "<polyline fill=\"none\" stroke=\"\(color)\" stroke-width=\"1.8\"\(dash(line.style))"
        + " points=\"\($0.joined(separator: " "))\"/>"
    }
    return "<g><title>\(escaped(line.name))</title>\(paths.joined())\(marks)</g>"
  }

  private func dash(_ style: Style) -> String { Self.dash(style) }

  private static func dash(_ style: Style) -> String {
    style.dash.isEmpty ? "" : " stroke-dasharray=\"\(style.dash)\""
  }

  /// What the lines of some charts mean, each name once.
  static func legend(_ charts: [ScalingChart]) -> String {
    var seen: [String] = []
    let items = charts.flatMap(\.lines).compactMap { line -> String? in
      guard !seen.contains(line.name) else { return nil }
      seen.append(line.name)
      return
        "<li><svg width=\"26\" height=\"8\"><line x1=\"0\" x2=\"26\" y1=\"4\" y2=\"4\" stroke=\""
        + "\(line.style.color)\" stroke-width=\"2.5\"\(dash(line.style))/></svg>\(escaped(line.name))</li>"
    }
    return "<ul class=\"legend\">\(items.joined())</ul>"
  }
}
