import CMPI

extension Communicator {
  /// Deals the root's values out in rank order, equally many to each rank.
  ///
  /// The count travels first, so the other ranks need not know it. MPI-3.1, section 5.6.
  ///
  /// - Parameters:
  ///   - values: What the root deals out; ignored on the other ranks.
  ///   - root: The rank that sends, the same on all ranks.
  ///   - phase: The ledger's label.
  /// - Returns: This rank's `values.count / size` elements.
  /// - Throws: ``MPIError``, on all ranks where types or roots differ, the root is not a rank or has no
  ///   values, or their count does not divide by ``size``.
  public func scatter<S: MPIScalar>(
    _ values: [S]?, from root: Int, phase: String
  ) throws(MPIError) -> [S] {
    // One more than the count, so that "no values" has a value that every rank can see.
    let encoded = try agree(
      on: Call("scatter", S.self, phase: phase, root: root),
      value: rank == root ? (values?.count ?? -1) + 1 : 0)
    let total = encoded - 1
    guard total >= 0, total.isMultiple(of: size) else {
      throw invalid(
        MPI_ERR_COUNT, "scatter", phase: phase,
        total < 0
          ? "root \(root) has no values"
          : "root \(root) has \(total) values, which do not divide among \(size) ranks")
    }
    let count = total / size
    guard rank == root else {
      let part: [S] = try receivePart(count: count, from: root, phase: phase)
      ledger[phase].bytesReceived += part.byteCount
      return part
    }
    let all = values ?? []
    let length = all.byteCount / size
    try transferring(phase) { () throws(MPIError) in
      try all.withBytes { (bytes) throws(MPIError) in
        for peer in 0..<size where peer != root {
          try sendPieces(
            bytes.part(peer * length..<(peer + 1) * length), to: peer,
            tag: Self.collectiveTag, chunk: chunkBytes, phase: phase)
        }
      }
    }
    ledger[phase].bytesSent += length * (size - 1)
    return Array(all[root * count..<(root + 1) * count])
  }

  /// Receives one part of a gather or scatter whose count is known.
  func receivePart<S: MPIScalar>(
    count: Int, from peer: Int, phase: String
  ) throws(MPIError) -> [S] {
    try .filled(count: count) { (bytes) throws(MPIError) in
      try transferring(phase) { () throws(MPIError) in
        try receivePieces(
          into: bytes, from: peer, tag: Self.collectiveTag, chunk: chunkBytes, phase: phase)
      }
    }
  }
}
