import Foundation
import TestSupport
import Testing

@testable import Experiments

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

  /// Runs `permavg`, which must end well.
  @discardableResult
  static func succeed(
    ranks: Int? = nil, _ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> Command.Outcome {
    let outcome = try permavg(ranks: ranks, arguments)
    try #require(
      outcome.status == 0, "\(arguments): \(outcome.errors)", sourceLocation: sourceLocation)
    return outcome
  }

  /// Runs `permavg`, alone and under mpirun, which must say one line and leave with the status.
  ///
  /// - Parameters:
  ///   - status: the exit status.
  ///   - words: what the line must have in it.
  ///   - arguments: of the program.
  ///   - launches: how many ranks are tried; nil for no mpirun.
  ///   - sourceLocation: where a failure is shown.
  /// - Throws: an error of the system if it could not be started.
  static func expectRefusal(
    _ status: Int32, saying words: String..., arguments: [String],
    launches: [Int?] = [nil, 3], sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    for ranks in launches {
      let outcome = try permavg(ranks: ranks, arguments)
      #expect(
        outcome.status == status, "\(arguments): \(outcome.errors)", sourceLocation: sourceLocation)
      // Alone the program has standard error to itself: besides what is being done there is that line.
      let lines =
        ranks == nil
        ? outcome.errors.split(separator: "\n").map(String.init).filter { !$0.hasSuffix("…") }
        : outcome.errorLines
      #expect(lines.count == 1, "\(arguments): \(outcome.errors)", sourceLocation: sourceLocation)
      for word in words {
        #expect(
          lines.first?.contains(word) == true, "\(lines) should say \(word)",
          sourceLocation: sourceLocation)
      }
      for noise in ["Fatal error", "Stack dump", "Backtrace"] {
        #expect(!outcome.errors.contains(noise), sourceLocation: sourceLocation)
      }
      // An address; `resnet20x4` is none.
      #expect(
        outcome.errors.firstMatch(of: /\b0x/) == nil, "\(outcome.errors)",
        sourceLocation: sourceLocation)
    }
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
  try contents(
    of: folder, except: ["timings.json", "communication.json", "costs.json", "report.html"])
}

/// The names of a run folder's files in `merged/`, without the ending.
func mergedNames(of folder: String) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: "\(folder)/merged")
    .map { $0.replacing(".safetensors", with: "") }.sorted()
}

/// Writes bytes to a file.
func write(_ bytes: [UInt8], to path: String) throws {
  try Data(bytes).write(to: URL(fileURLWithPath: path))
}

/// Replaces text in a file, which must be there.
func edit(
  _ path: String, replacing old: String, with new: String,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let text = try String(contentsOfFile: path, encoding: .utf8)
  try #require(text.contains(old), "\(path) has no \(old)", sourceLocation: sourceLocation)
  try write(Array(text.replacing(old, with: new).utf8), to: path)
}

extension Results {
  /// The row of a name, as tables have it.
  func row(named name: String) -> Row? { rows.first { $0.predictor.name == name } }
}
