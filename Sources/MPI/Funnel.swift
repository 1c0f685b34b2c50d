import CMPI

/// The pieces of at most `limit` bytes that a transfer of `count` bytes is split into, in order.
///
/// Pieces are whole multiples of `unit`, and at least one unit long even where `limit` is shorter.
/// No bytes make no pieces, so MPI is never handed the null pointer of an empty array.
func pieces(of count: Int, atMost limit: Int, unit: Int = 1) -> some Sequence<Range<Int>> {
  let step = max(limit / unit, 1) * unit
  return stride(from: 0, to: count, by: step).lazy.map { $0..<min($0 + step, count) }
}

extension Array where Element: MPIScalar {
  /// How many bytes the elements take.
  var byteCount: Int { count * MemoryLayout<Element>.stride }

  /// Calls `body` with the elements' bytes.
  func withBytes<R>(
    _ body: (UnsafeRawBufferPointer) throws(MPIError) -> R
  ) throws(MPIError) -> R {
    try withUnsafeBufferPointer { (elements) throws(MPIError) in
      try body(UnsafeRawBufferPointer(elements))
    }
  }

  /// Calls `body` with the elements' bytes, to change them.
  mutating func withMutableBytes<R>(
    _ body: (UnsafeMutableRawBufferPointer) throws(MPIError) -> R
  ) throws(MPIError) -> R {
    try withUnsafeMutableBufferPointer { (elements) throws(MPIError) in
      try body(UnsafeMutableRawBufferPointer(elements))
    }
  }

  /// An array of `count` elements whose every byte `fill` writes; nothing is zeroed first.
  ///
  /// If `fill` throws, what it wrote is given up.
  static func filled(
    count: Int, by fill: (UnsafeMutableRawBufferPointer) throws(MPIError) -> Void
  ) throws(MPIError) -> [Element] {
    var failure: MPIError?
    let array = [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
      let elements = UnsafeMutableBufferPointer(rebasing: buffer[..<count])
      do throws(MPIError) {
        try fill(UnsafeMutableRawBufferPointer(elements))
        initialized = count
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return array
  }
}

extension UnsafeMutableRawBufferPointer {
  /// The part of the buffer at `range`, counted from zero.
  func part(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: self[range])
  }
}

extension UnsafeRawBufferPointer {
  /// The part of the buffer at `range`, counted from zero.
  func part(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: self[range])
  }
}

extension Communicator {
  /// The tag of the messages that gathers and scatters are made of, out of reach of ``send(_:to:tag:phase:)``.
  ///
  /// One tag is enough: messages between two ranks do not overtake each other, and all ranks start
  /// their collectives in the same order. 32767 is the least upper bound that MPI guarantees.
  static var collectiveTag: Int32 { 32767 }

  /// Runs `body` and enters its time as transferring.
  func transferring(_ phase: String, _ body: () throws(MPIError) -> Void) throws(MPIError) {
    let start = MPI_Wtime()
    defer { ledger[phase].secondsTransferring += MPI_Wtime() - start }
    try body()
  }

  /// Sends `bytes` as messages of at most `chunk` bytes.
  func sendPieces(
    _ bytes: UnsafeRawBufferPointer, to peer: Int, tag: Int32, chunk: Int, phase: String
  ) throws(MPIError) {
    for range in pieces(of: bytes.count, atMost: chunk) {
      let piece = bytes.part(range)
      try check(
        MPI_Send(piece.baseAddress, Int32(piece.count), mpi_byte(), Int32(peer), tag, raw),
        "MPI_Send", phase: phase)
    }
  }

  /// Receives what ``sendPieces(_:to:tag:chunk:phase:)`` sent; a piece of another length is an error.
  func receivePieces(
    into bytes: UnsafeMutableRawBufferPointer, from peer: Int, tag: Int32, chunk: Int,
    phase: String
  ) throws(MPIError) {
    for range in pieces(of: bytes.count, atMost: chunk) {
      let piece = bytes.part(range)
      var status = MPI_Status()
      try check(
        MPI_Recv(piece.baseAddress, Int32(piece.count), mpi_byte(), Int32(peer), tag, raw, &status),
        "MPI_Recv", phase: phase)
      try requireLength(piece.count, of: &status, from: peer, call: "MPI_Recv", phase: phase)
    }
  }

  /// Throws if a message was shorter than the space for it, which MPI itself does not mind.
  func requireLength(
    _ expected: Int, of status: inout MPI_Status, from peer: Int, call: String, phase: String
  ) throws(MPIError) {
    var count: Int32 = 0
    try check(MPI_Get_count(&status, mpi_byte(), &count), "MPI_Get_count", phase: phase)
    guard Int(count) == expected else {
      throw invalid(
        MPI_ERR_COUNT, call, phase: phase,
        "rank \(peer) sent \(count) bytes where \(expected) were expected")
    }
  }

  /// Broadcasts `bytes` in pieces.
  func broadcastPieces(
    _ bytes: UnsafeMutableRawBufferPointer, from root: Int, phase: String
  ) throws(MPIError) {
    for range in pieces(of: bytes.count, atMost: chunkBytes) {
      let piece = bytes.part(range)
      try check(
        MPI_Bcast(piece.baseAddress, Int32(piece.count), mpi_byte(), Int32(root), raw),
        "MPI_Bcast", phase: phase)
    }
  }
}
