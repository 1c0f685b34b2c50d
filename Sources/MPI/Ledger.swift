/// The cost of this rank's messages, by phase, in the order in which the phases first occurred.
///
/// **Bytes** are what an operation must move if every contribution went straight to each rank that needs
/// it: what the algorithm asked for, not what the library's trees and rings made of it. What a
/// rank keeps for itself is not counted, so a world of one moves nothing. With n the bytes of one rank's
/// contribution (nᵣ where they differ) and R ranks:
///
/// | operation | sends | receives |
/// |---|---|---|
/// | `broadcast`, `startBroadcast` | root: n(R−1) | others: n |
/// | `gather`, `gatherV`, `startGather` | others: nᵣ | root: Σ nᵣ of the others |
/// | `scatter` (n: one rank's part) | root: n(R−1) | others: n |
/// | `allgather`, `allgatherV` | nᵣ(R−1) | Σ nᵣ of the others |
/// | `reduce` | others: n | root: n(R−1) |
/// | `allreduce` | n(R−1) | n(R−1) |
/// | `orderedSum` | rank 0: n(R−1), others: n | rank 0: n(R−1), others: n |
/// | `send`, `receive` | n | n |
///
/// Over all ranks, a phase's sent and received bytes are equal. Control bytes follow the same rules:
/// the all-reduce in front of every blocking collective (88 bytes), the counts of `gatherV` and
/// `allgatherV` (8 bytes a rank), the header of `send` (24 bytes). What the library itself exchanges to
/// start, to make communicators, or in barriers is not visible here.
///
/// **Seconds**: waiting is the time in the all-reduce in front of a collective, in a barrier, until the
/// header of a message arrives, and in the `wait()` of a request; transferring is the rest of the operation.
public final class Ledger {
  /// The phases' records.
  public private(set) var records: [PhaseRecord] = []
  private var positions: [String: Int] = [:]

  init() {}

  /// The record of a phase, or `nil` if it has none.
  public func record(of phase: String) -> PhaseRecord? {
    positions[phase].map { records[$0] }
  }

  /// The record of `phase`, begun where there is none.
  subscript(phase: String) -> PhaseRecord {
    get { record(of: phase) ?? PhaseRecord(phase: phase) }
    set {
      if let position = positions[phase] {
        records[position] = newValue
      } else {
        positions[phase] = records.count
        records.append(newValue)
      }
    }
  }

  /// What has come to the records since an earlier time; phases in which nothing has are left out.
  func records(since mark: [PhaseRecord]) -> [PhaseRecord] {
    records.compactMap { record in
      guard let old = mark.first(where: { $0.phase == record.phase }) else { return record }
      let new = record.subtracting(old)
      return new.calls > 0 ? new : nil
    }
  }

  /// Forgets a phase.
  func remove(_ phase: String) {
    records.removeAll { $0.phase == phase }
    positions = Dictionary(
      uniqueKeysWithValues: records.enumerated().map { ($1.phase, $0) })
  }
}
