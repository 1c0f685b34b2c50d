import CMPI

extension Communicator {
  /// The largest tag that ``send(_:to:tag:phase:)`` takes; the one above carries gathers and scatters.
  public static var largestTag: Int { Int(collectiveTag) - 1 }

  /// Sends values to another rank, which must ``receive(as:from:tag:phase:)`` them.
  ///
  /// A header of three 64-bit integers (count, element type, chunk size) goes first, so the receiver needs to
  /// know none of them. Returns when `values` may be reused, which for long messages is not before the
  /// receiver takes them: two ranks that send to each other first may wait forever. MPI-3.1, section 3.2.
  ///
  /// - Parameters:
  ///   - values: What to send, of any length.
  ///   - peer: The rank that receives; sending to oneself is an error.
  ///   - tag: Tells messages between the same two ranks apart, `0 ... largestTag`.
  ///   - phase: The ledger's label.
  /// - Throws: ``MPIError`` on this rank for a bad peer or tag, or if MPI fails.
  public func send<S: MPIScalar>(
    _ values: [S], to peer: Int, tag: Int = 0, phase: String
  ) throws(MPIError) {
    let tag = try checked(peer: peer, tag: tag, call: "send", phase: phase)
    let header = [values.count, S.signature, chunkBytes].map(Int64.init)
    try transferring(phase) { () throws(MPIError) in
      try header.withBytes { (bytes) throws(MPIError) in
        try sendPieces(bytes, to: peer, tag: tag, chunk: bytes.count, phase: phase)
      }
      try values.withBytes { (bytes) throws(MPIError) in
        try sendPieces(bytes, to: peer, tag: tag, chunk: chunkBytes, phase: phase)
      }
    }
    ledger[phase].calls += 1
    ledger[phase].controlBytesSent += header.byteCount
    ledger[phase].bytesSent += values.byteCount
  }

  /// Receives what another rank sends with ``send(_:to:tag:phase:)``.
  ///
  /// Messages of one sender and tag arrive in the order in which they were sent. The time until the header arrives is entered as waiting. MPI-3.1, section 3.2.
  ///
  /// - Parameters:
  ///   - type: The element type, which the sender's must match.
  ///   - peer: The rank that sends.
  ///   - tag: The sender's tag.
  ///   - phase: The ledger's label.
  /// - Returns: The values, as many as were sent.
  /// - Throws: ``MPIError`` on this rank for a bad peer or tag, for elements of another type than
  ///   the sender's, or if MPI fails.
  public func receive<S: MPIScalar>(
    as type: S.Type, from peer: Int, tag: Int = 0, phase: String
  ) throws(MPIError) -> [S] {
    let tag = try checked(peer: peer, tag: tag, call: "receive", phase: phase)
    var header = [Int64](repeating: 0, count: 3)
    let start = MPI_Wtime()
    try header.withMutableBytes { (bytes) throws(MPIError) in
      try receivePieces(into: bytes, from: peer, tag: tag, chunk: bytes.count, phase: phase)
    }
    ledger[phase].calls += 1
    ledger[phase].secondsWaiting += MPI_Wtime() - start
    ledger[phase].controlBytesReceived += header.byteCount
    guard Int(header[1]) == S.signature else {
      throw invalid(
        MPI_ERR_TYPE, "receive", phase: phase,
        "rank \(peer) sent elements of another type than \(S.self)")
    }
    let values: [S] = try .filled(count: Int(header[0])) { (bytes) throws(MPIError) in
      try transferring(phase) { () throws(MPIError) in
        try receivePieces(
          into: bytes, from: peer, tag: tag, chunk: Int(header[2]), phase: phase)
      }
    }
    ledger[phase].bytesReceived += values.byteCount
    return values
  }

  private func checked(
    peer: Int, tag: Int, call: String, phase: String
  ) throws(MPIError) -> Int32 {
    guard (0..<size).contains(peer) else {
      throw invalid(
        MPI_ERR_RANK, call, phase: phase, "rank \(peer) is not among the \(size) ranks")
    }
    guard peer != rank else {
      throw invalid(
        MPI_ERR_RANK, call, phase: phase, "rank \(rank) cannot exchange messages with itself")
    }
    guard (0...Self.largestTag).contains(tag) else {
      throw invalid(
        MPI_ERR_TAG, call, phase: phase, "tag \(tag) is not in 0 ... \(Self.largestTag)")
    }
    return Int32(tag)
  }
}
