import ArgumentParser
import Experiments
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

  /// What the paths are, known on every rank.
  ///
  /// Rank 0 looks for all: a run folder may be on its node alone.
  func kind(of paths: [String], in world: Communicator) throws -> PathKind {
    var kind = [PathKind.several.rawValue]
    if world.isRoot, paths.count == 1 {
      let exists = FileManager.default.fileExists(atPath: paths[0])
      let found: PathKind = isDirectory(paths[0]) ? .folder : exists ? .file : .nothing
      kind = [found.rawValue]
    }
    try world.broadcast(&kind, from: 0, phase: "experiment")
    return PathKind(rawValue: kind[0]) ?? .several
  }

  /// Prints a value as JSON, or as a table.
  func show(_ value: some Encodable, asJSON isJSON: Bool, table: () -> String) throws {
    guard isJSON else { return print(table()) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
  }
}

/// What a command was given to work on.
enum PathKind: Int {
  /// One path that leads nowhere.
  case nothing
  case folder
  case file
  case several
}
