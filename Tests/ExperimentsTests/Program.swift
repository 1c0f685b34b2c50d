import Foundation
import TestSupport

/// The built program, run as a user would.
enum Program {
  /// Where `permavg` is: beside the tests.
  static func path() throws -> String {
    let products = URL(fileURLWithPath: try Command.executable()).deletingLastPathComponent().path
    return "\(products)/permavg"
  }

  /// Runs `permavg`, under mpirun if a number of ranks is given.
  static func permavg(ranks: Int? = nil, _ arguments: [String]) throws -> Command.Outcome {
    try Command.run([try path()] + arguments, ranks: ranks, seconds: 300)
  }
}

/// Every file below a folder with its bytes, by relative path.
func contents(of folder: String, except excluded: Set<String> = []) throws -> [String: Data] {
  var result: [String: Data] = [:]
  for case let name as String in FileManager.default.enumerator(atPath: folder) ?? .init() {
    var isFolder: ObjCBool = false
    let path = "\(folder)/\(name)"
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue,
      !excluded.contains(name)
    else { continue }
    result[name] = try Data(contentsOf: URL(fileURLWithPath: path))
  }
  return result
}

/// The files of a run folder that must not depend on time, machine or ranks.
func reproducibleContents(of folder: String) throws -> [String: Data] {
  try contents(of: folder, except: ["timings.json", "communication.json", "report.html"])
}

/// Writes bytes to a file.
func write(_ bytes: [UInt8], to path: String) throws {
  try Data(bytes).write(to: URL(fileURLWithPath: path))
}
