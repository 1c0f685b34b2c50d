import MPI

/// What a run cost in messages: `communication.json` of a run folder.
public struct CommunicationLog: Codable, Equatable, Sendable {
  /// The version of this file's form.
  public var version = 1

  /// One for each command, as it was last run.
  public var commands: [Command] = []

  /// The messages of one command.
  public struct Command: Codable, Equatable, Sendable {
    /// `run`, `train`, `merge`, `distill`, `evaluate` or `study`.
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

  /// Whether all counts are such as messages have, and add up without overflow.
  var isPossible: Bool {
    commands.allSatisfy { command in
      command.ledgers.joined().allSatisfy { record in
        [
          record.calls, record.bytesSent, record.bytesReceived, record.controlBytesSent,
          record.controlBytesReceived,
        ].allSatisfy { (0...1 << 50).contains($0) }
      }
    }
  }

  mutating func replace(_ command: Command) {
    commands.removeAll { $0.command == command.command }
    commands.append(command)
  }
}

extension CommunicationLog.Command {
  /// One phase, summed or maximised over ranks.
  package struct Phase {
    package let name: String
    /// Calls of the rank with the most.
    package let calls: Int
    /// Payload bytes sent, all ranks together.
    package let payloadBytes: Int
    /// Bytes of counts and checks sent, all ranks together.
    package let controlBytes: Int
    /// The longest wait of any rank.
    package let secondsWaiting: Double
    /// The longest transfer of any rank.
    package let secondsTransferring: Double
  }

  /// The phases in the order of rank 0.
  package var phases: [Phase] {
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
