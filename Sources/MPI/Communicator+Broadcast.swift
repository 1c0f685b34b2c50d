import CMPI

extension Communicator {
  /// Gives every rank the root's values.
  ///
  /// The count travels first: on the other ranks `values` becomes as long as the root's, whatever it
  /// held. Cost: log₂(size) steps of the whole vector, in
  /// the library's usual tree. MPI-3.1, section 5.4.
  ///
  /// - Parameters:
  ///   - values: Sent from the root, replaced on the other ranks.
  ///   - root: The rank that sends, the same on all ranks.
  ///   - phase: The ledger's label.
  /// - Throws: ``MPIError``, on all ranks where types or roots differ or the root is not a rank.
  public func broadcast<S: MPIScalar>(
    _ values: inout [S], from root: Int, phase: String
  ) throws(MPIError) {
    let count = try agree(
      on: Call("broadcast", S.self, phase: phase, root: root),
      value: rank == root ? values.count : 0)
    try transferring(phase) { () throws(MPIError) in
      if values.count == count {
        try values.withMutableBytes { (bytes) throws(MPIError) in
          try broadcastPieces(bytes, from: root, phase: phase)
        }
      } else {
        values = []
        values = try .filled(count: count) { (bytes) throws(MPIError) in
          try broadcastPieces(bytes, from: root, phase: phase)
        }
      }
    }
    enterOneToAll(bytes: values.byteCount, root: root, phase: phase)
  }

  /// Enters `bytes` that went from the root to each other rank.
  func enterOneToAll(bytes: Int, root: Int, phase: String) {
    if rank == root {
      ledger[phase].bytesSent += bytes * (size - 1)
    } else {
      ledger[phase].bytesReceived += bytes
    }
  }
}
