import CMPI

/// Requests in flight and the memory that MPI reads or writes meanwhile.
///
/// The memory is freed only after every request has completed. After an error it is not: MPI may still
/// write to it, and the only sensible continuation is to end the job.
final class Transfer {
  private enum State { case running, complete, failed }

  let bytes: UnsafeMutableRawBufferPointer
  private let communicator: Communicator
  private let call: Call
  private var state = State.running
  private var operations: [Operation] = []
  private var next = 0

  private struct Operation {
    var request: mpi_request
    let call: String
    /// Whom a receive is from and how long it must be; a send or a broadcast has neither.
    let expected: (peer: Int, count: Int)?
  }

  init(byteCount: Int, on communicator: Communicator, for call: Call) {
    // Aligned for any scalar, so that the result can be read as one.
    bytes = .allocate(byteCount: byteCount, alignment: 64)
    self.communicator = communicator
    self.call = call
  }

  deinit {
    guard state != .running else {
      fatalError(
        "the pending \(call.name) of phase \"\(call.phase)\" was dropped before it was complete; "
          + "call wait(), or MPI writes into memory that is no longer its own")
    }
    if state == .complete { bytes.deallocate() }
  }

  /// Starts one operation on a piece of the memory.
  func start(
    _ call: String, expecting expected: (peer: Int, count: Int)? = nil,
    _ body: (inout mpi_request) -> Int32
  ) throws(MPIError) {
    var request = mpi_request_null()
    do throws(MPIError) {
      try communicator.check(body(&request), call, phase: self.call.phase)
    } catch {
      state = .failed
      throw error
    }
    operations.append(Operation(request: request, call: call, expected: expected))
  }

  /// Lets MPI work; whether everything has completed.
  func poll() throws(MPIError) -> Bool {
    let start = MPI_Wtime()
    defer { communicator.ledger[call.phase].secondsTransferring += MPI_Wtime() - start }
    return try advance { request, status, isDone in
      MPI_Test(&request.value, &isDone, &status)
    }
  }

  /// Returns when everything has completed.
  func wait() throws(MPIError) {
    let start = MPI_Wtime()
    defer { communicator.ledger[call.phase].secondsWaiting += MPI_Wtime() - start }
    _ = try advance { request, status, isDone in
      isDone = 1
      return MPI_Wait(&request.value, &status)
    }
  }

  /// Completes operations in order until one is not done.
  private func advance(
    _ complete: (inout mpi_request, inout MPI_Status, inout Int32) -> Int32
  ) throws(MPIError) -> Bool {
    guard state == .running else { return true }
    do throws(MPIError) {
      while next < operations.count {
        let operation = operations[next]
        var status = MPI_Status()
        var isDone: Int32 = 0
        let code = complete(&operations[next].request, &status, &isDone)
        try communicator.check(code, operation.call, phase: call.phase)
        guard isDone != 0 else { return false }
        if let (peer, count) = operation.expected {
          try communicator.requireLength(
            count, of: &status, from: peer, call: operation.call, phase: call.phase)
        }
        next += 1
      }
    } catch {
      state = .failed
      throw error
    }
    state = .complete
    return true
  }

  /// Copies the memory into an array.
  func elements<S: MPIScalar>(of _: S.Type) -> [S] {
    let count = bytes.count / MemoryLayout<S>.stride
    return [S](unsafeUninitializedCapacity: count) { buffer, initialized in
      UnsafeMutableRawBufferPointer(buffer).copyMemory(from: UnsafeRawBufferPointer(bytes))
      initialized = count
    }
  }
}
