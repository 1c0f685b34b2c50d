import MPI

/// What a run cost in time: `timings.json` of a run folder.
public struct Timings: Codable, Equatable, Sendable {
  /// The version of this file's form.
  public var version = 1

  /// Seconds it took to make each thing, by its path in the folder without the ending.
  public var seconds: [String: Double] = [:]
}

/// What a run cost in messages: `communication.json` of a run folder.
public struct CommunicationLog: Codable, Equatable, Sendable {
  /// The version of this file's form.
  public var version = 1

  /// One for each command, as it was last run.
  public var commands: [Command] = []

  /// The messages of one command.
  public struct Command: Codable, Equatable, Sendable {
    /// `run`, `train`, `merge`, `distill` or `evaluate`.
    public var command: String

    /// How many ranks there were.
    public var ranks: Int

    /// The node of each rank.
    public var hosts: [String]

    /// MPI's name and version.
    public var library: String

    /// How the library sends messages.
    public var transport: String

    /// From the start of the command to its end, on rank 0.
    public var wallSeconds: Double

    /// Every rank's ledger, by rank: payload and control bytes, seconds waiting and transferring.
    public var ledgers: [[PhaseRecord]]
  }

  mutating func replace(_ command: Command) {
    commands.removeAll { $0.command == command.command }
    commands.append(command)
  }
}

extension CommunicationLog.Command {
  /// One phase, summed or maximised over ranks.
  struct Phase {
    let name: String
    /// Calls of the rank with the most.
    let calls: Int
    /// Payload bytes sent, all ranks together.
    let payloadBytes: Int
    /// Bytes of counts and checks sent, all ranks together.
    let controlBytes: Int
    /// The longest wait of any rank.
    let secondsWaiting: Double
    /// The longest transfer of any rank.
    let secondsTransferring: Double
  }

  /// The phases in the order of rank 0.
  var phases: [Phase] {
    var names: [String] = []
    for record in ledgers.joined() where !names.contains(record.phase) {
      names.append(record.phase)
    }
    return names.map { name in
      let records = ledgers.joined().filter { $0.phase == name }
      return Phase(
        name: name, calls: records.map(\.calls).max() ?? 0,
        payloadBytes: records.reduce(0) { $0 + $1.bytesSent },
        controlBytes: records.reduce(0) { $0 + $1.controlBytesSent },
        secondsWaiting: records.map(\.secondsWaiting).max() ?? 0,
        secondsTransferring: records.map(\.secondsTransferring).max() ?? 0)
    }
  }
}
