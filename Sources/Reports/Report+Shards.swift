import Experiments

/// What members have learned from, where each has its own images, and how that shows.
extension Report {
  /// A bar a member, as long as it has images, in a colour a class.
  func shardSection() throws -> HTMLPage.Section? {
    guard let rule = experiment.shards?.rule, let shards = try folder.readShards() else {
      return nil
    }
    let total = shards.sizes.reduce(0, +)
    return HTMLPage.Section(
      heading: "Data of the members",
      caption:
        "Each member has images of its own, and no other rank sees them: \(grouped(total)) in all, split by"
        + " <code>\(escaped(rule.description))</code>."
        + (shards.classes.isEmpty ? "" : " A colour is a class."),
      body: ShardPicture(sizes: shards.sizes, classes: shards.classes).figure)
  }

  /// The accuracy on each class, where data is skewed.
  var classSection: HTMLPage.Section? {
    guard experiment.shards != nil else { return nil }
    let rows = results.rows.compactMap { row in
      row.test.classAccuracies.map { (row.predictor.name, $0) }
    }
    guard let classes = rows.first?.1.count else { return nil }
    return HTMLPage.Section(
      heading: "Accuracy by class",
      caption:
        "A member knows the classes that it has seen; what is made of all members should know all.",
      body: htmlTable(
        ["test set, accuracy %"] + (0..<classes).map { "class \($0)" } + ["lowest"],
        rows.map { name, accuracies in
          let texts = accuracies.map { $0.map { decimal(100 * $0, 1) } ?? "" }
          let lowest = accuracies.compactMap { $0 }.min().map { decimal(100 * $0, 1) } ?? ""
          return (cells: [escaped(name)] + texts + [lowest], isStrong: false)
        }))
  }
}

/// Horizontal bars of images by member and class, as SVG.
struct ShardPicture {
  let sizes: [Int]
  let classes: [[Int]]

  private let width = 720.0
  private let left = 90.0
  private let right = 70.0

  /// A colour for a class, told apart by hue and lightness.
  private static func color(_ label: Int, of count: Int) -> String {
    "hsl(\(360 * label / max(count, 1)) 55% \(label.isMultiple(of: 2) ? 42 : 66)%)"
  }

  var figure: String {
    // Of many members the bars become thin, but for the first sixty-four there is room.
    let shown = min(sizes.count, 64)
    let step = shown > 16 ? 12.0 : 24.0
    let longest = Double(max(sizes.prefix(shown).max() ?? 1, 1))
    var parts: [String] = []
    for member in 0..<shown {
      let y = Double(member) * step
      let middle = decimal(y + step / 2, 1)
      parts.append(
        "<text x=\"\(left - 8)\" y=\"\(middle)\" dy=\"4\" text-anchor=\"end\">member \(member)</text>"
      )
      let counts = classes.isEmpty ? [sizes[member]] : classes[member]
      var x = left
      for (label, count) in counts.enumerated() where count > 0 {
        let length = Double(count) / longest * (width - left - right)
        let name = classes.isEmpty ? "images" : "class \(label)"
        parts.append(
          "<rect x=\"\(decimal(x, 1))\" y=\"\(decimal(y + 2, 1))\" width=\"\(decimal(length, 1))\""
            + " height=\"\(decimal(step - 4, 1))\" fill=\"\(Self.color(label, of: counts.count))\">"
            + "<title>member \(member), \(name): \(grouped(count))</title></rect>")
        x += length
      }
      parts.append(
        "<text x=\"\(decimal(x + 6, 1))\" y=\"\(middle)\" dy=\"4\">\(grouped(sizes[member]))</text>"
      )
    }
    let rest =
      sizes.count > shown ? "<p class=\"note\">and \(sizes.count - shown) more members</p>" : ""
    return "<figure><figcaption>images of each member</figcaption>\n"
      + "<svg viewBox=\"0 0 \(width) \(decimal(Double(shown) * step, 0))\" role=\"img\">\n"
      + parts.joined(separator: "\n") + "\n</svg>\n\(rest)</figure>"
  }
}
