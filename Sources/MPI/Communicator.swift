import CMPI

/// A group of ranks that talk to each other, and the one funnel that all their messages go through.
///
/// Every operation takes `Int` counts, splits transfers into pieces of at most ``chunkBytes``, checks
/// every return code, and enters its cost in the ``ledger`` under the caller's phase label.
///
/// Before a blocking collective moves data, one small all-reduce compares what the ranks were asked
/// to do: the operation and its phase, the root, the element type, the chunk size, and the count where
/// it must be equal. A difference is thrown on *every* rank; without it, MPI would hang or corrupt memory.
/// The same all-reduce tells the time spent waiting for late ranks from the time spent transferring.
///
/// A communicator belongs to the thread that started MPI and is not `Sendable`. It frees its MPI handle
/// when the last reference goes away (the world excepted), which MPI counts as a collective call: let
/// go of a communicator at the same point on all of its ranks.
public final class Communicator {
  /// This process' number within the communicator, `0 ..< size`.
  public let rank: Int
  /// How many ranks the communicator has.
  public let size: Int
  /// This process' number in the world; reports and errors use it whichever communicator is at work.
  public let worldRank: Int
  /// What this rank's messages cost, shared by all communicators that derive from one world.
  public let ledger: Ledger

  /// The most bytes one MPI call transfers, `1 ... Int32.max`; derived communicators inherit it.
  ///
  /// 256 MiB keeps clear of the 2³¹ limits that MPI libraries still have inside (gathers fail by their
  /// *total*), and measured no slower than larger pieces. All ranks must use the same value.
  public var chunkBytes: Int {
    willSet {
      precondition(
        (1...Int(Int32.max)).contains(newValue), "chunkBytes is \(newValue), not 1 ... 2³¹ - 1")
    }
  }

  /// Whether this is rank 0, which prints, merges and writes.
  public var isRoot: Bool { rank == 0 }

  let handle: mpi_comm
  private let isOwned: Bool

  /// What MPI functions take.
  var raw: MPI_Comm { handle.value }

  /// Wraps a handle and makes it return its errors instead of ending the process.
  init(_ handle: mpi_comm, owned: Bool, ledger: Ledger, chunkBytes: Int) throws(MPIError) {
    var rank: Int32 = 0
    var size: Int32 = 0
    var worldRank: Int32 = 0
    let codes = [
      MPI_Comm_set_errhandler(handle.value, mpi_errors_return()),
      MPI_Comm_rank(handle.value, &rank),
      MPI_Comm_size(handle.value, &size),
      MPI_Comm_rank(mpi_comm_world().value, &worldRank),
    ]
    if let code = codes.first(where: { $0 != MPI_SUCCESS }) {
      throw MPIError(code: code, call: "MPI_Comm_rank", phase: "communicators", rank: 0)
    }
    self.handle = handle
    self.isOwned = owned
    self.rank = Int(rank)
    self.size = Int(size)
    self.worldRank = Int(worldRank)
    self.ledger = ledger
    self.chunkBytes = chunkBytes
  }

  /// The communicator of all ranks, with a new ledger.
  static func world() throws(MPIError) -> Communicator {
    try Communicator(mpi_comm_world(), owned: false, ledger: Ledger(), chunkBytes: 1 << 28)
  }

  deinit {
    guard isOwned, !MPI.isFinalized else { return }
    var handle = handle
    MPI_Comm_free(&handle.value)
  }
}
