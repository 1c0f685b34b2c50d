/// A gather under way, which owns its buffers until ``wait()`` hands over the result.
///
/// The compiler sees to it that the result is taken once at most. Dropping the request before it is
/// complete stops the process: MPI would write into memory that is no longer its own.
public struct PendingGather<S: MPIScalar>: ~Copyable {
  let transfer: Transfer
  /// Whether this rank is the root.
  let isResultHere: Bool

  /// Lets MPI make progress; call it once in a while, for instance after every batch.
  ///
  /// Open MPI has no thread of its own for this: without calls into MPI nothing moves, and the whole
  /// transfer is left for ``wait()``.
  ///
  /// - Returns: Whether the gather is complete, so that ``wait()`` will not wait.
  public mutating func poll() throws(MPIError) -> Bool { try transfer.poll() }

  /// Waits for the gather to complete.
  ///
  /// - Returns: Every rank's values in rank order on the root, `nil` on the other ranks.
  public consuming func wait() throws(MPIError) -> [S]? {
    try transfer.wait()
    return isResultHere ? transfer.elements(of: S.self) : nil
  }
}

/// A broadcast under way, which owns its buffer until ``wait()`` hands over the result.
///
/// Dropping the request before it is complete stops the process: MPI would write into memory that is
/// no longer its own.
public struct PendingBroadcast<S: MPIScalar>: ~Copyable {
  let transfer: Transfer

  /// Lets MPI make progress; call it once in a while, for instance after every batch.
  ///
  /// - Returns: Whether the broadcast is complete, so that ``wait()`` will not wait.
  public mutating func poll() throws(MPIError) -> Bool { try transfer.poll() }

  /// Waits for the broadcast to complete.
  ///
  /// - Returns: The root's values, on every rank.
  public consuming func wait() throws(MPIError) -> [S] {
    try transfer.wait()
    return transfer.elements(of: S.self)
  }
}
