import CMPI

extension Communicator {
  /// Collects every rank's values on every rank, in rank order.
  ///
  /// All ranks must give equally many. Results of up to ``chunkBytes`` take one MPI call, longer ones a broadcast a rank. MPI-3.1, section 5.7.
  ///
  /// - Parameters:
  ///   - values: This rank's contribution.
  ///   - phase: The ledger's label.
  /// - Returns: `values.count * size` elements.
  /// - Throws: ``MPIError``, on all ranks where counts or types differ.
  public func allgather<S: MPIScalar>(_ values: [S], phase: String) throws(MPIError) -> [S] {
    try agree(on: Call("allgather", S.self, phase: phase, count: values.count))
    let counts = [Int](repeating: values.count, count: size)
    return try allgather(values, counts: counts, phase: phase)
  }

  /// Collects every rank's values on every rank, however many each has.
  ///
  /// As ``allgather(_:phase:)``, after an all-gather of the counts (8 bytes a rank). Needs room for the result
  /// twice. MPI-3.1, section 5.7.
  ///
  /// - Parameters:
  ///   - values: This rank's contribution, of any length.
  ///   - phase: The ledger's label.
  /// - Returns: One array a rank.
  /// - Throws: ``MPIError``, on all ranks where types differ.
  public func allgatherV<S: MPIScalar>(_ values: [S], phase: String) throws(MPIError) -> [[S]] {
    try agree(on: Call("allgatherV", S.self, phase: phase))
    let counts = try allgatherCounts(values.count, phase: phase)
    let all = try allgather(values, counts: counts, phase: phase)
    var start = 0
    return counts.map { count in
      defer { start += count }
      return Array(all[start..<start + count])
    }
  }

  /// Collects every rank's values on every rank, where all ranks know how many each has.
  ///
  /// As ``allgather(_:phase:)``, with nothing sent but the values. MPI-3.1, section 5.7.
  ///
  /// - Parameters:
  ///   - values: This rank's contribution, `counts[rank]` elements.
  ///   - counts: One a rank, the same on all ranks.
  ///   - phase: The ledger's label.
  /// - Returns: The ranks' values one after the other.
  /// - Throws: ``MPIError``, on all ranks where types or the total of the counts differ.
  public func allgather<S: MPIScalar>(
    _ values: [S], knowing counts: [Int], phase: String
  ) throws(MPIError) -> [S] {
    precondition(counts.count == size && counts[rank] == values.count)
    try agree(on: Call("allgather", S.self, phase: phase, count: counts.reduce(0, +)))
    return try allgather(values, counts: counts, phase: phase)
  }

  private func allgather<S: MPIScalar>(
    _ values: [S], counts: [Int], phase: String
  ) throws(MPIError) -> [S] {
    let lengths = counts.map { $0 * MemoryLayout<S>.stride }
    let all: [S] = try .filled(count: counts.reduce(0, +)) { (all) throws(MPIError) in
      try transferring(phase) { () throws(MPIError) in
        try values.withBytes { (own) throws(MPIError) in
          try allgatherBytes(own, into: all, lengths: lengths, phase: phase)
        }
      }
    }
    ledger[phase].bytesSent += lengths[rank] * (size - 1)
    ledger[phase].bytesReceived += lengths.reduce(0, +) - lengths[rank]
    return all
  }

  private func allgatherBytes(
    _ own: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, lengths: [Int],
    phase: String
  ) throws(MPIError) {
    guard all.count > 0 else { return }
    var starts: [Int] = []
    var end = 0
    for length in lengths {
      starts.append(end)
      end += length
    }
    guard all.count > chunkBytes else {
      // MPI may look at the address even of nothing, so a rank without values lends the result's.
      let source = own.baseAddress ?? UnsafeRawPointer(all.baseAddress)
      let count = Int32(own.count)
      if lengths.allSatisfy({ $0 == own.count }) {
        try check(
          MPI_Allgather(source, count, mpi_byte(), all.baseAddress, count, mpi_byte(), raw),
          "MPI_Allgather", phase: phase)
      } else {
        try check(
          MPI_Allgatherv(
            source, count, mpi_byte(), all.baseAddress, lengths.map(Int32.init),
            starts.map(Int32.init), mpi_byte(), raw),
          "MPI_Allgatherv", phase: phase)
      }
      return
    }
    for (peer, (start, length)) in zip(starts, lengths).enumerated() {
      let part = all.part(start..<start + length)
      if peer == rank { part.copyMemory(from: own) }
      try broadcastPieces(part, from: peer, phase: phase)
    }
  }

  private func allgatherCounts(_ count: Int, phase: String) throws(MPIError) -> [Int] {
    let mine = [Int64(count)]
    var all = [Int64](repeating: 0, count: size)
    try transferring(phase) { () throws(MPIError) in
      try check(
        MPI_Allgather(mine, 1, mpi_int64(), &all, 1, mpi_int64(), raw),
        "MPI_Allgather", phase: phase)
    }
    let length = MemoryLayout<Int64>.size * (size - 1)
    ledger[phase].controlBytesSent += length
    ledger[phase].controlBytesReceived += length
    return all.map(Int.init)
  }
}
