import ArgumentParser
import Foundation
import MPI

extension ParsableCommand {
  /// Runs a command's work on all ranks, and ends with its status if it is not 0.
  func onRanks(_ work: (Communicator) throws -> Void) throws {
    let status = MPI.run(work)
    guard status == 0 else { throw ExitCode(status) }
  }

  /// Does work on rank 0 while the other ranks sleep; throws on all ranks if it throws.
  func onRoot(of world: Communicator, _ work: () throws -> Void) throws {
    let result = Result { if world.isRoot { try work() } }
    try world.idleBarrier(phase: "waiting for rank 0")
    try world.together { try result.get() }
  }

  /// Whether the paths are one folder, known on every rank.
  ///
  /// Rank 0 looks for all: the run folder may be on its node alone.
  func isRunFolder(_ paths: [String], in world: Communicator) throws -> Bool {
    var isFolder = [world.isRoot && paths.count == 1 && isDirectory(paths[0]) ? 1 : 0]
    try world.broadcast(&isFolder, from: 0, phase: "experiment")
    return isFolder == [1]
  }

  private func isDirectory(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
      && isDirectory.boolValue
  }

  /// Prints a value as JSON, or as a table.
  func show(_ value: some Encodable, asJSON isJSON: Bool, table: () -> String) throws {
    guard isJSON else { return print(table()) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
  }
}
