import Foundation
import Synchronization

/// What a finished program left behind.
struct Outcome {
  let status: Int32
  let output: String
  let errors: String

  /// The lines of standard error that are the program's own errors.
  var errorLines: [String] {
    errors.split(separator: "\n").map(String.init).filter { $0.hasPrefix("error:") }
  }
}

/// The built program, run as a user would.
enum Program {
  /// Where the test bundle lies, and the program beside it.
  private static let products = URL(fileURLWithPath: CommandLine.arguments[0])
    .deletingLastPathComponent().path

  /// Runs `permavg`, under mpirun if a number of ranks is given.
  static func permavg(ranks: Int? = nil, _ arguments: [String]) throws -> Outcome {
    try launch(
      (ranks.map { ["mpirun", "-n", String($0)] } ?? []) + ["\(products)/permavg"] + arguments)
  }

  /// Runs a program with a limit of time, and waits for it.
  private static func launch(_ command: [String]) throws -> Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["timeout", "-k", "5", "300"] + command
    process.environment = environment
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    process.standardInput = FileHandle.nullDevice
    // Both streams are read at once, or a full pipe would stop the program.
    let errorData = Mutex(Data())
    let reader = Thread {
      let data = errors.fileHandleForReading.readDataToEndOfFile()
      errorData.withLock { $0 = data }
    }
    try process.run()
    reader.start()
    let outputData = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    while !reader.isFinished { usleep(1000) }
    return Outcome(
      status: process.terminationStatus, output: String(decoding: outputData, as: UTF8.self),
      errors: errorData.withLock { String(decoding: $0, as: UTF8.self) })
  }

  /// This process' environment, fit for a new job: mpirun must not take a test that has started MPI for
  /// its parent.
  private static var environment: [String: String] {
    var result = ProcessInfo.processInfo.environment.filter { name, _ in
      !(name.hasPrefix("PMIX_") || name.hasPrefix("PMI_"))
        && (!name.hasPrefix("OMPI_") || name.hasPrefix("OMPI_ALLOW") || name.hasPrefix("OMPI_MCA_"))
    }
    let defaults = [
      "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
      "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_hwloc_base_binding_policy": "none",
      "OMPI_MCA_mpi_yield_when_idle": "1", "OMPI_MCA_btl_base_warn_component_unused": "0",
      "SWIFT_BACKTRACE": "enable=no",
    ]
    result.merge(defaults) { own, _ in own }
    result["PERMAVG_LIVE"] = nil
    return result
  }
}

/// A folder that is removed with the test that made it.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.path + "/permavg-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  subscript(name: String) -> String { "\(path)/\(name)" }

  func write(_ bytes: [UInt8], to name: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: self[name]))
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
