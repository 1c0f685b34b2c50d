import Foundation
import Networks

/// Sinkhorn's normalisation in double precision as it is usually written: rows and columns of the
/// whole matrix are divided by their sums in turn, and the gradient goes back through every division.
struct DoubleSinkhorn {
  let n: Int
  let temperature: Double
  let epsilon: Double
  var iterations = 500

  /// P, row by row.
  func matrix(_ logits: [Double]) -> [Double] {
    var p = logits.map { exp($0 / temperature) + epsilon }
    for _ in 0..<iterations {
      p = normalized(p, byRows: true).values
      p = normalized(p, byRows: false).values
    }
    return p
  }

  /// ∂L/∂X for G = ∂L/∂P.
  func unrolledGradient(_ logits: [Double], _ gradient: [Double]) -> [Double] {
    var p = logits.map { exp($0 / temperature) + epsilon }
    var divisions: [(values: [Double], sums: [Double], byRows: Bool)] = []
    for _ in 0..<iterations {
      for byRows in [true, false] {
        let (values, sums) = normalized(p, byRows: byRows)
        divisions.append((values, sums, byRows))
        p = values
      }
    }
    var g = gradient
    for (values, sums, byRows) in divisions.reversed() {
      // y = x / Σ x, so ∂L/∂x = (∂L/∂y − Σ y ∂L/∂y) / Σ x, over each row or column.
      var means = [Double](repeating: 0, count: n)
      for i in 0..<n * n { means[line(i, byRows)] += values[i] * g[i] }
      for i in 0..<n * n { g[i] = (g[i] - means[line(i, byRows)]) / sums[line(i, byRows)] }
    }
    return zip(g, logits).map { $0 * exp($1 / temperature) / temperature }
  }

  private func line(_ i: Int, _ byRows: Bool) -> Int { byRows ? i / n : i % n }

  private func normalized(_ p: [Double], byRows: Bool) -> (values: [Double], sums: [Double]) {
    var sums = [Double](repeating: 0, count: n)
    for i in 0..<n * n { sums[line(i, byRows)] += p[i] }
    return (p.indices.map { p[$0] / sums[line($0, byRows)] }, sums)
  }
}
