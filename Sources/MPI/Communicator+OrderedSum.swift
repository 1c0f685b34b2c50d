import CMPI

extension Communicator {
  /// Adds the ranks' values element by element in rank order: `((v₀ + v₁) + v₂) + …` on every rank.
  ///
  /// The bits depend on nothing but the values, which no MPI reduction promises: rank 0 receives the
  /// vectors one after the other, adds each, and broadcasts the sum. Cost: (size − 1) vectors into
  /// rank 0, one broadcast, and room for two vectors. All ranks must give equally many.
  ///
  /// - Parameters:
  ///   - values: This rank's addends.
  ///   - phase: The ledger's label.
  /// - Returns: As many elements as `values`, the same bits on every rank.
  /// - Throws: ``MPIError``, on all ranks where counts differ.
  public func orderedSum(_ values: [Float], phase: String) throws(MPIError) -> [Float] {
    try sumInRankOrder(values, phase: phase)
  }

  /// Adds the ranks' values element by element in rank order, as the `Float` version does.
  ///
  /// - Parameters:
  ///   - values: This rank's addends.
  ///   - phase: The ledger's label.
  /// - Returns: As many elements as `values`, the same bits on every rank.
  /// - Throws: ``MPIError``, on all ranks where counts differ.
  public func orderedSum(_ values: [Double], phase: String) throws(MPIError) -> [Double] {
    try sumInRankOrder(values, phase: phase)
  }

  // Generic inside the module only, where the loop over elements is specialised.
  private func sumInRankOrder<S: MPIScalar & FloatingPoint>(
    _ values: [S], phase: String
  ) throws(MPIError) -> [S] {
    try agree(on: Call("orderedSum", S.self, phase: phase, count: values.count))
    var sum = values
    if isRoot {
      for peer in 1..<max(size, 1) {
        let addends: [S] = try receivePart(count: values.count, from: peer, phase: phase)
        for index in sum.indices { sum[index] += addends[index] }
      }
      ledger[phase].bytesReceived += values.byteCount * (size - 1)
    } else {
      try transferring(phase) { () throws(MPIError) in
        try values.withBytes { (bytes) throws(MPIError) in
          try sendPieces(
            bytes, to: 0, tag: Self.collectiveTag, chunk: chunkBytes, phase: phase)
        }
      }
      ledger[phase].bytesSent += values.byteCount
    }
    try transferring(phase) { () throws(MPIError) in
      try sum.withMutableBytes { (bytes) throws(MPIError) in
        try broadcastPieces(bytes, from: 0, phase: phase)
      }
    }
    enterOneToAll(bytes: sum.byteCount, root: 0, phase: phase)
    return sum
  }
}
