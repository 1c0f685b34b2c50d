import CMPI
import Foundation

extension Communicator {
  /// Collects every rank's ledger on rank 0, in rank order.
  ///
  /// Collective. Its own traffic is not in the result, nor in any later one. A ledger covers all
  /// communicators of its world, so collect over the world unless you want a part of the ranks.
  ///
  /// - Parameter mark: this rank's records at an earlier time, which are taken off; by default from the start on.
  /// - Returns: One list of records a rank on rank 0, `nil` on the other ranks.
  /// - Throws: ``MPIError`` if the gather fails or a ledger cannot be read.
  public func collectLedger(
    since mark: [PhaseRecord] = []
  ) throws(MPIError) -> [[PhaseRecord]]? {
    let phase = "ledger"
    // A rank that cannot encode (a time that is not a number) still takes part; the root notices.
    let encoded = [UInt8]((try? JSONEncoder().encode(ledger.records(since: mark))) ?? Data())
    defer { ledger.remove(phase) }
    guard let all = try gatherV(encoded, to: 0, phase: phase) else { return nil }
    var ledgers: [[PhaseRecord]] = []
    for (rank, bytes) in all.enumerated() {
      guard let records = try? JSONDecoder().decode([PhaseRecord].self, from: Data(bytes)) else {
        throw invalid(
          MPI_ERR_OTHER, "collectLedger", phase: phase, "rank \(rank)'s ledger is not readable")
      }
      ledgers.append(records)
    }
    return ledgers
  }
}
