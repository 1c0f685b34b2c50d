import CMPI
import Foundation

@testable import MPI

/// The operations that are run under Open MPI's monitoring, each on communicators that bear its name.
enum Monitored: String, CaseIterable {
  case broadcast, barrier, idleBarrier, gather, gatherV, scatter, allgather, allgatherV, reduce
  case allreduce, orderedSum, send, startGather, startBroadcast, together

  /// The environment variables that choose the operation and where ledgers go, one file a rank.
  static let operationVariable = "MPI_TEST_OPERATION"
  static let ledgerVariable = "MPI_TEST_LEDGER"

  /// In one piece and in many; a sum of the bytes must not tell the difference.
  static let chunkSizes = [1 << 28, 32]

  /// Counts and roots are all different, so that no two figures agree by accident.
  private func run(on world: Communicator, phase: String) throws {
    func ones<S: MPIScalar & ExpressibleByIntegerLiteral>(_ count: Int, _: S.Type) -> [S] {
      [S](repeating: 1, count: count)
    }
    switch self {
    case .broadcast:
      var values = ones(1001, Float.self)
      try world.broadcast(&values, from: 1, phase: phase)
    case .barrier: try world.barrier(phase: phase)
    case .idleBarrier: try world.idleBarrier(phase: phase)
    case .gather: _ = try world.gather(ones(501, Double.self), to: 1, phase: phase)
    case .gatherV: _ = try world.gatherV(ones(7 * world.rank, Int16.self), to: 0, phase: phase)
    case .scatter: _ = try world.scatter(ones(11 * world.size, Int32.self), from: 0, phase: phase)
    case .allgather: _ = try world.allgather(ones(13, UInt8.self), phase: phase)
    case .allgatherV: _ = try world.allgatherV(ones(3 + world.rank, Int.self), phase: phase)
    case .reduce: _ = try world.reduce(ones(17, Int.self), .sum, to: 1, phase: phase)
    case .allreduce: _ = try world.allreduce(ones(19, Float.self), .maximum, phase: phase)
    case .orderedSum: _ = try world.orderedSum(ones(23, Float.self), phase: phase)
    case .send:
      if world.rank == 0 {
        try world.send(ones(29, Double.self), to: 2, phase: phase)
      } else if world.rank == 2 {
        _ = try world.receive(as: Double.self, from: 0, phase: phase)
      }
    case .startGather:
      _ = try world.startGather(ones(31, Float.self), to: 1, phase: phase).wait()
    case .startBroadcast:
      _ = try world.startBroadcast(ones(37, Float.self), from: 1, phase: phase).wait()
    case .together: try world.together(phase: phase) {}
    }
  }

  /// Runs the operation that the environment names and leaves the ledger beside the monitoring files.
  static func run(in world: Communicator) throws {
    let environment = ProcessInfo.processInfo.environment
    guard let operation = environment[operationVariable].flatMap(Monitored.init),
      let path = environment[ledgerVariable]
    else { throw Scenario.Failure(description: "no operation to monitor", exitStatus: 2) }
    // Kept to the end, so that each has a line of its own in the monitoring files.
    var communicators: [Communicator] = []
    for chunkBytes in chunkSizes {
      let communicator = try world.duplicate()
      communicator.chunkBytes = chunkBytes
      MPI_Comm_set_name(communicator.raw, operation.rawValue)
      try operation.run(on: communicator, phase: operation.rawValue)
      communicators.append(communicator)
    }
    try JSONEncoder().encode(world.ledger.records)
      .write(to: URL(filePath: "\(path).\(world.rank).json"))
  }
}
