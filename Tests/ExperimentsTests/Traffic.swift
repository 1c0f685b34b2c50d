import Networks
import Testing

@testable import Experiments

/// What a command's messages must carry, all ranks together, by the table in `MPI.Ledger`'s documentation.
struct Traffic {
  let ranks: Int

  /// Bytes that rank 0 sends to each other rank.
  func broadcast(_ bytes: Int) -> Int { (ranks - 1) * bytes }

  /// Of numbers 0 to `count`, a part each, those that are not rank 0's.
  func away(_ count: Int) -> Int { (0..<count).filter { $0 % ranks != 0 }.count }

  /// Work whose results every rank gets: a 64-bit length of each part first, as many a rank, and then all bytes.
  func map(parts: Int, bytes: Int) -> Int {
    let lengths = ranks * ((parts + ranks - 1) / ranks)
    return (ranks - 1) * (8 * lengths + bytes)
  }

  /// Sums of `length` doubles: those of each part go to rank 0, and the total goes back to every rank.
  func sum(parts: Int, of length: Int) -> Int {
    reduce(parts: parts, bytes: 8 * length)
  }

  /// What each part gives goes to rank 0, and as many bytes to every rank.
  func reduce(parts: Int, bytes: Int) -> Int { bytes * away(parts) + broadcast(bytes) }
}

extension CommunicationLog.Command {
  /// The payload of a phase, all ranks together.
  func payload(_ phase: String) -> Int {
    phases.first { $0.name == phase }?.payloadBytes ?? 0
  }

  /// Phases that carry a payload: what is looked for in vain is not among them.
  var loadedPhases: Set<String> { Set(phases.filter { $0.payloadBytes > 0 }.map(\.name)) }

  /// Checks every phase's payload, but for a few that hold texts and flags.
  func expectPayloads(
    _ expected: [String: Int], besides others: Set<String> = [],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    for (phase, bytes) in expected {
      #expect(
        payload(phase) == bytes, "\(command) on \(ranks) ranks: \(phase)",
        sourceLocation: sourceLocation)
    }
    let known = Set(expected.keys).union(others).union([
      "experiment", "graph", "ledger", "sharing cores",
    ])
    #expect(
      loadedPhases.isSubset(of: known), "\(loadedPhases.subtracting(known)) on \(ranks) ranks",
      sourceLocation: sourceLocation)
  }
}
