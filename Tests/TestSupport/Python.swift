import Foundation

/// The Python interpreter that tests compare with: `PERMAVG_PYTHON`, else `python3`.
public enum Python {
  /// Whether it can import the modules.
  public static func imports(_ modules: String...) -> Bool {
    (try? run(["-c", "import \(modules.joined(separator: ", "))"]))?.status == 0
  }

  /// Runs a script of `scripts/references`.
  public static func script(
    _ name: String, _ arguments: String...
  ) throws -> (status: Int32, output: Data) {
    let root = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let outcome = try run(
      [root.appendingPathComponent("scripts/references/\(name)").path] + arguments)
    return (outcome.status, Data(outcome.output.utf8))
  }

  private static func run(_ arguments: [String]) throws -> Command.Outcome {
    let python = Command.environment["PERMAVG_PYTHON"] ?? "python3"
    return try Command.run(["/usr/bin/env", python] + arguments, ranks: nil, seconds: 300)
  }
}
