import Foundation
import MPI
import Networks
import Tensors

/// One command at work on all ranks: who is there, what each may compute with, and what rank 0 does alone.
package final class Job {
  let world: Communicator

  /// As the user called it, for the communication record.
  let command: String

  /// Threads a rank may compute with, if the user said.
  private let askedThreads: Int?
  private let start = ContinuousClock.now

  /// What the ledger held before; a study's cells are jobs one after another.
  private let before: [PhaseRecord]

  /// A job on all ranks.
  ///
  /// - Parameters:
  ///   - world: all ranks.
  ///   - command: its name.
  ///   - threads: threads a rank may compute with; nil to share the node's cores out.
  init(in world: Communicator, command: String, threads: Int?) {
    self.world = world
    self.command = command
    askedThreads = threads
    before = world.ledger.records
  }

  /// Checks the number of threads that the user gave.
  ///
  /// - Throws: ``UsageError``
  static func validate(threads: Int?) throws(UsageError) {
    guard let threads, threads < 1 else { return }
    throw UsageError("--threads \(threads): expected 1 or more")
  }

  /// The payload that this rank has sent so far, of one phase if one is named.
  func bytesSent(in phase: String? = nil) -> Int {
    world.ledger.records.reduce(0) {
      $0 + (phase == nil || phase == $1.phase ? $1.bytesSent : 0)
    }
  }

  /// What all ranks together sent, on rank 0; nil elsewhere.
  func total(bytesSent: Int) throws -> Int? {
    try world.gather([bytesSent], to: 0, phase: "ledger")?.reduce(0, +)
  }

  package var isRoot: Bool { world.isRoot }

  // MARK: - Threads

  /// Threads that rank 0 may compute with while the others wait: one a core, if the user did not say.
  var threads: Int { askedThreads ?? ProcessInfo.processInfo.activeProcessorCount }

  /// Threads for this rank while several work: the node's cores shared out, if the user did not say.
  ///
  /// - Parameter isBusy: whether this rank has work; those that sleep leave their cores to the others.
  /// - Returns: at least 1.
  /// - Throws: `MPIError`
  func threadsWhileSharing(isBusy: Bool) throws -> Int {
    let node = try world.splitByNode()
    let busy = try node.allreduce([isBusy ? 1 : 0], .sum, phase: "sharing cores")[0]
    return askedThreads ?? max(1, ProcessInfo.processInfo.activeProcessorCount / max(1, busy))
  }

  /// All ranks as a team, each with its share of its node's cores.
  func team() throws -> any Team {
    guard world.size > 1 else { return ThreadTeam(threads: threads) }
    return RankTeam(world, threads: try threadsWhileSharing(isBusy: true))
  }

  // MARK: - Working together

  /// Does work on rank 0 while the other ranks sleep; throws on all ranks if it throws.
  ///
  /// - Returns: what the work gave, on rank 0; nil elsewhere.
  package func onRoot<Value>(_ work: () throws -> Value) throws -> Value? {
    let result = Result { world.isRoot ? try work() : nil }
    // After an error of MPI nothing can be agreed on any more.
    if case .failure(let error as MPIError) = result { throw error }
    try world.idleBarrier(phase: "waiting for rank 0")
    return try world.together { try result.get() }
  }

  func progress(_ label: String) -> ProgressLine {
    ProgressLine(label, isSilent: !isRoot)
  }

  /// Sends rank 0's networks, all of one graph, to every rank.
  ///
  /// - Parameters:
  ///   - networks: at least one, on rank 0; nil elsewhere.
  ///   - phase: what the messages are for.
  /// - Returns: the networks.
  /// - Throws: `JointFailure`, on every rank.
  func broadcast(_ networks: [Network]?, phase: String) throws -> [Network] {
    guard world.size > 1 else { return networks ?? [] }
    var text = [UInt8]((networks?[0].graph.source ?? "").utf8)
    var numbers = networks?.flatMap { $0.parameters + $0.buffers } ?? []
    try world.broadcast(&text, from: 0, phase: "graph")
    try world.broadcast(&numbers, from: 0, phase: phase)
    return try world.together {
      if let networks { return networks }
      let graph = try Graph(source: String(decoding: text, as: UTF8.self))
      let (border, size) = (graph.parameterCount, graph.parameterCount + graph.bufferCount)
      return stride(from: 0, to: numbers.count, by: size).map { start in
        Network(
          graph, parameters: Array(numbers[start..<start + border]),
          buffers: Array(numbers[start + border..<start + size]))
      }
    }
  }

  // MARK: - The end

  /// What the job's messages cost, on rank 0; nil elsewhere.
  ///
  /// The last thing that a job does.
  func cost() throws -> CommunicationLog.Command? {
    let hosts = try world.gatherV([UInt8](MPI.processorName.utf8), to: 0, phase: "ledger")
    let ledgers = try world.collectLedger(since: before)
    guard let hosts, let ledgers else { return nil }
    return CommunicationLog.Command(
      command: command, ranks: world.size, hosts: hosts.map { String(decoding: $0, as: UTF8.self) },
      library: MPI.libraryVersion, transport: MPI.transportSettings,
      wallSeconds: (ContinuousClock.now - start).seconds, ledgers: ledgers)
  }
}
