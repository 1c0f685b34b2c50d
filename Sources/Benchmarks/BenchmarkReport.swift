import Experiments
import Foundation

/// What a benchmark came to.
public struct BenchmarkReport: Codable, Sendable {
  public var environment: BenchmarkEnvironment
  public var rows: [Row] = []

  /// What a reader of the rows should know.
  public var notes: [String] = []

  /// One thing that was timed.
  public struct Row: Codable, Sendable {
    public var name: String

    /// The median over repeats.
    public var seconds: Double
    public var minimum: Double
    public var repeats: Int

    /// How much was done a second, in ``unit``, at the median.
    public var rate: Double
    public var unit: String

    /// What was computed, to be held against a peer's: a loss, or an assignment's objective.
    public var result: Double?
  }

  /// The rows as a table, with the environment above and the notes below.
  public var table: String {
    var table = TextTable(["benchmark", "median", "minimum", "repeats", "rate", "unit", "result"])
    for row in rows {
      table.append([
        row.name, readableTime(row.seconds), readableTime(row.minimum), "\(row.repeats)",
        significant(row.rate), row.unit, row.result.map { String(format: "%.6g", $0) } ?? "",
      ])
    }
    return ([environment.description, "", table.text] + (notes.isEmpty ? [] : [""]) + notes)
      .joined(separator: "\n")
  }
}

/// `3.21 µs`, `3.21 ms` or `3.21 s`.
private func readableTime(_ seconds: Double) -> String {
  let (factor, unit) =
    abs(seconds) < 1e-3 ? (1e6, "µs") : abs(seconds) < 1 ? (1e3, "ms") : (1, "s")
  return "\(decimal(seconds * factor, 2)) \(unit)"
}

/// A rate with as many decimals as three digits need.
private func significant(_ value: Double) -> String {
  abs(value) >= 1000
    ? grouped(Int(value.rounded()))
    : decimal(value, abs(value) >= 100 ? 0 : abs(value) >= 10 ? 1 : 2)
}
