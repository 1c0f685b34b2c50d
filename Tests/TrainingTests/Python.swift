import Foundation

/// The Python interpreter that tests compare with: `PERMAVG_PYTHON`, else `python3`.
enum Python {
  /// Whether it can import the modules.
  static func imports(_ modules: String...) -> Bool {
    (try? run(["-c", "import \(modules.joined(separator: ", "))"]).status) == 0
  }

  /// Runs a script of `scripts/references`.
  static func script(_ name: String, _ arguments: String...) throws -> (status: Int32, output: Data)
  {
    let root = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    return try run([root.appendingPathComponent("scripts/references/\(name)").path] + arguments)
  }

  private static func run(_ arguments: [String]) throws -> (status: Int32, output: Data) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments =
      [ProcessInfo.processInfo.environment["PERMAVG_PYTHON"] ?? "python3"] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    // A failed import is an answer, not something to print.
    process.standardError = arguments.first == "-c" ? FileHandle.nullDevice : .standardError
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, output)
  }
}
