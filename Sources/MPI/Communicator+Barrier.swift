import CMPI
import Foundation

extension Communicator {
  /// Returns on no rank before every rank has entered.
  ///
  /// It is the all-reduce in front of every collective and nothing else, so a rank that is in another operation
  /// is found out. Waiting ranks keep a core busy; see ``idleBarrier(phase:)``. MPI-3.1, section 5.3.
  public func barrier(phase: String) throws(MPIError) {
    try agree(on: Call("barrier", phase: phase))
  }

  /// A barrier in which waiting ranks sleep, so that a late rank can use their cores.
  ///
  /// Looks every 50 µs at first and every 5 ms at last, so it may return 5 ms after the last rank
  /// entered. MPI-3.1, section 5.12.1 (`MPI_Ibarrier`).
  public func idleBarrier(phase: String) throws(MPIError) {
    let start = MPI_Wtime()
    defer {
      ledger[phase].calls += 1
      ledger[phase].secondsWaiting += MPI_Wtime() - start
    }
    var request = mpi_request_null()
    try check(MPI_Ibarrier(raw, &request.value), "MPI_Ibarrier", phase: phase)
    var isDone: Int32 = 0
    var pause: UInt32 = 50
    while true {
      try check(
        MPI_Test(&request.value, &isDone, mpi_status_ignore()), "MPI_Test", phase: phase)
      guard isDone == 0 else { return }
      usleep(pause)
      pause = min(pause * 2, 5000)
    }
  }
}
