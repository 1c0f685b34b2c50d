import CMPI

extension Communicator {
  /// A communicator of the same ranks whose messages never mix with this one's.
  ///
  /// Give each subsystem its own. Collective; the library's internal messages are not in the ledger,
  /// its time is, under phase "communicators". MPI-3.1, section 6.4.2.
  public func duplicate() throws(MPIError) -> Communicator {
    try agree(on: Call("duplicate", phase: Self.derivation))
    return try adopt(derive("MPI_Comm_dup") { MPI_Comm_dup(raw, &$0.value) })
  }

  /// Splits the ranks by colour: one new communicator a colour, its ranks ordered by `key`.
  ///
  /// Equal keys keep the present order. Collective. MPI-3.1, section 6.4.2.
  ///
  /// - Parameters:
  ///   - color: The group to join, or `nil` to join none.
  ///   - key: The order within the new communicator.
  /// - Returns: The new communicator, or `nil` where `color` is `nil`.
  /// - Throws: ``MPIError``, on all ranks where a colour of any is negative or a number too large.
  public func split(color: Int?, key: Int) throws(MPIError) -> Communicator? {
    let color32 = color.map { $0 < 0 ? nil : Int32(exactly: $0) } ?? mpi_undefined()
    let key32 = Int32(exactly: key)
    let isInvalid = color32 == nil || key32 == nil
    let anyInvalid = try agree(
      on: Call("split", phase: Self.derivation), value: isInvalid ? 1 : 0)
    guard anyInvalid == 0, let color32, let key32 else {
      throw invalid(
        MPI_ERR_ARG, "split", phase: Self.derivation,
        "colours must be 0 ... 2³¹ - 1 and keys fit 32 bits on every rank; "
          + "this rank gave color \(color.map(String.init) ?? "nil"), key \(key)")
    }
    let part = try derive("MPI_Comm_split") { MPI_Comm_split(raw, color32, key32, &$0.value) }
    return mpi_comm_is_null(part) != 0 ? nil : try adopt(part)
  }

  /// One communicator for each node: the ranks that share memory with this one.
  ///
  /// Collective. MPI-3.1, section 6.4.2 (`MPI_COMM_TYPE_SHARED`).
  public func splitByNode() throws(MPIError) -> Communicator {
    try agree(on: Call("splitByNode", phase: Self.derivation))
    return try adopt(
      derive("MPI_Comm_split_type") {
        MPI_Comm_split_type(
          raw, mpi_comm_type_shared(), Int32(rank), mpi_info_null(), &$0.value)
      })
  }

  /// The ledger's label for making communicators.
  private static var derivation: String { "communicators" }

  /// Makes a handle, which is null on a rank that joins nothing.
  private func derive(
    _ call: String, _ make: (inout mpi_comm) -> Int32
  ) throws(MPIError) -> mpi_comm {
    var new = mpi_comm_null()
    try transferring(Self.derivation) { () throws(MPIError) in
      try check(make(&new), call, phase: Self.derivation)
    }
    return new
  }

  private func adopt(_ handle: mpi_comm) throws(MPIError) -> Communicator {
    try Communicator(handle, owned: true, ledger: ledger, chunkBytes: chunkBytes)
  }
}
