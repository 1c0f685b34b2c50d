import CMPI

extension Communicator {
  /// Collects every rank's values on the root, in rank order.
  ///
  /// All ranks must give equally many. The root receives rank by rank straight into the result, by messages of at most
  /// ``chunkBytes``: no MPI call handles the total, which is where libraries overflow. MPI-3.1, section 5.5.
  ///
  /// - Parameters:
  ///   - values: This rank's contribution.
  ///   - root: The rank that receives, the same on all ranks.
  ///   - phase: The ledger's label.
  /// - Returns: `values.count * size` elements on the root, `nil` on the other ranks.
  /// - Throws: ``MPIError``, on all ranks where counts, types or roots differ or the root is not a rank.
  public func gather<S: MPIScalar>(
    _ values: [S], to root: Int, phase: String
  ) throws(MPIError) -> [S]? {
    try agree(on: Call("gather", S.self, phase: phase, root: root, count: values.count))
    guard rank == root else {
      try contribute(values, to: root, phase: phase)
      return nil
    }
    let length = values.byteCount
    return try .filled(count: values.count * size) { (all) throws(MPIError) in
      for peer in 0..<size {
        try collect(
          from: peer, own: values, into: all.part(peer * length..<(peer + 1) * length),
          phase: phase)
      }
    }
  }

  /// Collects every rank's values on the root, however many each has.
  ///
  /// As ``gather(_:to:phase:)``, after a gather of the counts (8 bytes a rank). MPI-3.1, section 5.5.
  ///
  /// - Parameters:
  ///   - values: This rank's contribution, of any length.
  ///   - root: The rank that receives, the same on all ranks.
  ///   - phase: The ledger's label.
  /// - Returns: One array a rank on the root, `nil` on the other ranks.
  /// - Throws: ``MPIError``, on all ranks where types or roots differ or the root is not a rank.
  public func gatherV<S: MPIScalar>(
    _ values: [S], to root: Int, phase: String
  ) throws(MPIError) -> [[S]]? {
    try agree(on: Call("gatherV", S.self, phase: phase, root: root))
    let counts = try gatherCounts(values.count, to: root, phase: phase)
    guard rank == root else {
      try contribute(values, to: root, phase: phase)
      return nil
    }
    var all: [[S]] = []
    for peer in 0..<size {
      all.append(
        try .filled(count: counts[peer]) { (part) throws(MPIError) in
          try collect(from: peer, own: values, into: part, phase: phase)
        })
    }
    return all
  }

  /// Sends this rank's part of a gather to the root.
  private func contribute<S: MPIScalar>(
    _ values: [S], to root: Int, phase: String
  ) throws(MPIError) {
    try transferring(phase) { () throws(MPIError) in
      try values.withBytes { (bytes) throws(MPIError) in
        try sendPieces(
          bytes, to: root, tag: Self.collectiveTag, chunk: chunkBytes, phase: phase)
      }
    }
    ledger[phase].bytesSent += values.byteCount
  }

  /// Puts one rank's part of a gather into the root's result; the root's own is copied.
  private func collect<S: MPIScalar>(
    from peer: Int, own: [S], into part: UnsafeMutableRawBufferPointer, phase: String
  ) throws(MPIError) {
    guard peer != rank else {
      own.withUnsafeBytes { part.copyMemory(from: $0) }
      return
    }
    try transferring(phase) { () throws(MPIError) in
      try receivePieces(
        into: part, from: peer, tag: Self.collectiveTag, chunk: chunkBytes, phase: phase)
    }
    ledger[phase].bytesReceived += part.count
  }

  /// Every rank's count, on the root; zeros elsewhere.
  private func gatherCounts(
    _ count: Int, to root: Int, phase: String
  ) throws(MPIError) -> [Int] {
    let mine = [Int64(count)]
    var all = [Int64](repeating: 0, count: size)
    try transferring(phase) { () throws(MPIError) in
      try check(
        MPI_Gather(mine, 1, mpi_int64(), &all, 1, mpi_int64(), Int32(root), raw),
        "MPI_Gather", phase: phase)
    }
    let length = MemoryLayout<Int64>.size
    if rank == root {
      ledger[phase].controlBytesReceived += length * (size - 1)
    } else {
      ledger[phase].controlBytesSent += length
    }
    return all.map(Int.init)
  }
}
