import CMPI

extension Communicator {
  /// Combines the ranks' values element by element, on the root.
  ///
  /// All ranks must give equally many. The order of a floating-point sum is the library's choice: see ``allreduce(_:_:phase:)``.
  /// MPI-3.1, section 5.9.1.
  ///
  /// - Parameters:
  ///   - values: This rank's operands.
  ///   - operation: How two elements become one.
  ///   - root: The rank that gets the result, the same on all ranks.
  ///   - phase: The ledger's label.
  /// - Returns: As many elements as `values` on the root, `nil` on the other ranks.
  /// - Throws: ``MPIError``, on all ranks where counts, types or roots differ, the root is not a rank,
  ///   or the operation does not fit the type.
  public func reduce<S: MPIScalar>(
    _ values: [S], _ operation: ReduceOperation, to root: Int, phase: String
  ) throws(MPIError) -> [S]? {
    try agree(
      on: Call(
        "reduce \(operation.rawValue)", S.self, phase: phase, root: root, count: values.count))
    try require(operation, appliesTo: S.self, phase: phase)
    let result = try reducing(values, resultHere: rank == root, phase: phase) {
      source, target, count in
      (
        MPI_Reduce(
          source, target, count, S.mpiType, operation.mpiOp, Int32(root), raw), "MPI_Reduce"
      )
    }
    if rank == root {
      ledger[phase].bytesReceived += values.byteCount * (size - 1)
    } else {
      ledger[phase].bytesSent += values.byteCount
    }
    return rank == root ? result : nil
  }

  /// Combines the ranks' values element by element, on every rank.
  ///
  /// Do not use it for floating-point sums that reach a result. The library chooses the order of the additions by
  /// the message's size, the number of ranks and their placement, so the last bits change from cluster
  /// to cluster (and differ from ``reduce(_:_:to:phase:)``'s). Counts, flags, minima and maxima are safe;
  /// for sums there is ``orderedSum(_:phase:)-([Float],_)``.
  ///
  /// All ranks must give equally many. MPI-3.1, section 5.9.6.
  ///
  /// - Parameters:
  ///   - values: This rank's operands.
  ///   - operation: How two elements become one.
  ///   - phase: The ledger's label.
  /// - Returns: As many elements as `values`, the same on every rank.
  /// - Throws: ``MPIError``, on all ranks where counts or types differ or the operation does not fit
  ///   the type.
  public func allreduce<S: MPIScalar>(
    _ values: [S], _ operation: ReduceOperation, phase: String
  ) throws(MPIError) -> [S] {
    try agree(
      on: Call("allreduce \(operation.rawValue)", S.self, phase: phase, count: values.count))
    try require(operation, appliesTo: S.self, phase: phase)
    let result = try reducing(values, resultHere: true, phase: phase) { source, target, count in
      (MPI_Allreduce(source, target, count, S.mpiType, operation.mpiOp, raw), "MPI_Allreduce")
    }
    ledger[phase].bytesSent += values.byteCount * (size - 1)
    ledger[phase].bytesReceived += values.byteCount * (size - 1)
    return result
  }

  /// Not every library refuses what MPI leaves undefined, so this does, on all ranks alike.
  private func require<S: MPIScalar>(
    _ operation: ReduceOperation, appliesTo type: S.Type, phase: String
  ) throws(MPIError) {
    guard operation.applies(to: type) else {
      throw invalid(
        MPI_ERR_OP, "reduce", phase: phase, "\(operation.rawValue) is not defined for \(type)")
    }
  }

  /// Calls `reduction` for each piece of whole elements.
  private func reducing<S: MPIScalar>(
    _ values: [S], resultHere: Bool, phase: String,
    _ reduction: (UnsafeRawPointer?, UnsafeMutableRawPointer?, Int32) -> (Int32, String)
  ) throws(MPIError) -> [S] {
    let stride = MemoryLayout<S>.stride
    return try .filled(count: resultHere ? values.count : 0) { (result) throws(MPIError) in
      try transferring(phase) { () throws(MPIError) in
        try values.withBytes { (bytes) throws(MPIError) in
          for range in pieces(of: bytes.count, atMost: chunkBytes, unit: stride) {
            let (code, call) = reduction(
              bytes.part(range).baseAddress, resultHere ? result.part(range).baseAddress : nil,
              Int32(range.count / stride))
            try check(code, call, phase: phase)
          }
        }
      }
    }
  }
}
