import CMPI

extension Communicator {
  /// Starts collecting every rank's values on the root, and returns at once.
  ///
  /// Nothing is compared beforehand, since that would block: root and ``chunkBytes`` must be equal on
  /// all ranks, and so must the counts. Where they are not, ``PendingGather/wait()`` throws on the root. The values are copied, so
  /// the caller may change its own; the root needs room for the result twice at the end.
  /// MPI-3.1, sections 3.7 and 5.12.
  ///
  /// - Parameters:
  ///   - values: This rank's contribution, equally many on every rank.
  ///   - root: The rank that receives.
  ///   - phase: The ledger's label.
  /// - Returns: The gather under way.
  /// - Throws: ``MPIError`` on this rank for a bad root, or if MPI fails.
  public func startGather<S: MPIScalar>(
    _ values: [S], to root: Int, phase: String
  ) throws(MPIError) -> PendingGather<S> {
    let call = try checkedCall("startGather", root: root, phase: phase)
    let start = MPI_Wtime()
    defer { ledger[phase].secondsTransferring += MPI_Wtime() - start }
    let length = values.byteCount
    let isRoot = rank == root
    let transfer = Transfer(
      byteCount: isRoot ? length * size : length, on: self, for: call)
    let own = transfer.bytes.part(isRoot ? rank * length..<(rank + 1) * length : 0..<length)
    values.withUnsafeBytes { own.copyMemory(from: $0) }
    for peer in isRoot ? 0..<size : root..<root + 1 where peer != rank {
      for range in pieces(of: length, atMost: chunkBytes) {
        if isRoot {
          let piece = transfer.bytes.part(
            peer * length + range.lowerBound..<peer * length + range.upperBound)
          try transfer.start("MPI_Irecv", expecting: (peer, piece.count)) {
            MPI_Irecv(
              piece.baseAddress, Int32(piece.count), mpi_byte(), Int32(peer),
              Self.collectiveTag, raw, &$0.value)
          }
        } else {
          let piece = own.part(range)
          try transfer.start("MPI_Isend") {
            MPI_Isend(
              piece.baseAddress, Int32(piece.count), mpi_byte(), Int32(peer),
              Self.collectiveTag, raw, &$0.value)
          }
        }
      }
    }
    ledger[phase].calls += 1
    if isRoot {
      ledger[phase].bytesReceived += length * (size - 1)
    } else {
      ledger[phase].bytesSent += length
    }
    return PendingGather(transfer: transfer, isResultHere: isRoot)
  }

  /// Starts giving every rank the root's values, and returns at once.
  ///
  /// Nothing is compared beforehand, since that would block: root, ``chunkBytes`` and the count must be
  /// equal on all ranks, which the caller has to see to (MPI may hang where they are not). The other
  /// ranks pass any values of the root's count, for instance `[Float](repeating: .zero, count: count)`.
  /// MPI-3.1, section 5.12.2.
  ///
  /// - Parameters:
  ///   - values: Sent from the root; only their count matters on the other ranks.
  ///   - root: The rank that sends.
  ///   - phase: The ledger's label.
  /// - Returns: The broadcast under way.
  /// - Throws: ``MPIError`` on this rank for a bad root, or if MPI fails.
  public func startBroadcast<S: MPIScalar>(
    _ values: [S], from root: Int, phase: String
  ) throws(MPIError) -> PendingBroadcast<S> {
    let call = try checkedCall("startBroadcast", root: root, phase: phase)
    let start = MPI_Wtime()
    defer { ledger[phase].secondsTransferring += MPI_Wtime() - start }
    let transfer = Transfer(byteCount: values.byteCount, on: self, for: call)
    values.withUnsafeBytes { transfer.bytes.copyMemory(from: $0) }
    for range in pieces(of: values.byteCount, atMost: chunkBytes) {
      let piece = transfer.bytes.part(range)
      try transfer.start("MPI_Ibcast") {
        MPI_Ibcast(
          piece.baseAddress, Int32(piece.count), mpi_byte(), Int32(root), raw, &$0.value)
      }
    }
    ledger[phase].calls += 1
    enterOneToAll(bytes: values.byteCount, root: root, phase: phase)
    return PendingBroadcast(transfer: transfer)
  }

  private func checkedCall(
    _ name: String, root: Int, phase: String
  ) throws(MPIError) -> Call {
    guard (0..<size).contains(root) else {
      throw invalid(
        MPI_ERR_ROOT, name, phase: phase, "root \(root) is not among the \(size) ranks")
    }
    return Call(name, phase: phase, root: root)
  }
}
