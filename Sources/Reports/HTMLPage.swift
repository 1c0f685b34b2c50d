import Experiments

/// A page with its style inside.
struct HTMLPage {
  let title: String
  let lead: String
  let sections: [Section]

  /// A part of the page under a heading.
  struct Section {
    let heading: String
    /// What the reader should see, in a sentence; may hold markup.
    let caption: String
    let body: String
  }

  var html: String {
    let parts = sections.map {
      "<section>\n<h2>\($0.heading)</h2>\n<p class=\"caption\">\($0.caption)</p>\n\($0.body)\n</section>"
    }
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>PermAVG: \(escaped(title))</title>
      <style>
      \(Self.style)
      </style>
      </head>
      <body>
      <header>
      <p class="program">PermAVG</p>
      <h1>\(escaped(title))</h1>
      <p class="lead">\(lead)</p>
      </header>
      \(parts.joined(separator: "\n"))
      </body>
      </html>

      """
  }

  private static let style = """
    body { font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #1f2937;
      background: #fff; max-width: 980px; margin: 0 auto; padding: 32px 24px 64px; }
    .program { letter-spacing: .08em; text-transform: uppercase; font-size: 12px; color: #6b7280;
      margin: 0; }
    h1 { font-size: 27px; line-height: 1.2; margin: 4px 0 12px; }
    h2 { font-size: 19px; margin: 0 0 4px; }
    .lead { font-size: 17px; margin: 0; }
    section { margin-top: 40px; }
    .caption { color: #4b5563; margin: 0 0 12px; max-width: 70ch; }
    .row { display: flex; flex-wrap: wrap; gap: 20px; }
    figure { margin: 0; flex: 1 1 300px; min-width: 0; }
    figure svg { width: 100%; height: auto; display: block; }
    figcaption { font-weight: 600; font-size: 14px; margin-bottom: 4px; }
    .note { color: #6b7280; font-size: 13px; }
    .legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 6px 0 0; padding: 0;
      list-style: none; font-size: 13px; color: #374151; }
    .legend svg { vertical-align: middle; margin-right: 6px; }
    .scroll { overflow-x: auto; }
    table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
    th { font-size: 12px; font-weight: 600; color: #6b7280; text-align: right; white-space: nowrap;
      border-bottom: 1px solid #9ca3af; padding: 4px 8px; }
    td { text-align: right; padding: 4px 8px; border-bottom: 1px solid #e5e7eb;
      white-space: nowrap; }
    th:first-child, td:first-child { text-align: left; padding-left: 0; }
    tr.strong td { font-weight: 600; }
    .dot { display: inline-block; width: 10px; height: 10px; border-radius: 50%;
      margin-right: 8px; }
    img.matrix { width: 100%; max-width: 300px; image-rendering: pixelated;
      border: 1px solid #d1d5db; display: block; }
    pre { background: #f3f4f6; padding: 12px; overflow-x: auto; font-size: 13px; }
    """
}

/// A text with the characters that HTML reserves replaced.
func escaped(_ text: String) -> String {
  text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    .replacing("\"", with: "&quot;")
}

/// An HTML table; cells may hold markup.
func htmlTable(_ header: [String], _ rows: [(cells: [String], isStrong: Bool)]) -> String {
  let head = header.map { "<th>\($0)</th>" }.joined()
  let body = rows.map { row in
    "<tr\(row.isStrong ? " class=\"strong\"" : "")>"
      + row.cells.map { "<td>\($0)</td>" }.joined() + "</tr>"
  }
  return """
    <div class="scroll"><table>
    <thead><tr>\(head)</tr></thead>
    <tbody>
    \(body.joined(separator: "\n"))
    </tbody></table></div>
    """
}
