import Foundation

extension Communicator {
  /// Does `work` on every rank, and throws on all of them if it threw on any.
  ///
  /// For work between messages. A rank that left alone would strand its peers in their next
  /// collective; instead one all-reduce tells all ranks of the failure, rank 0 reports it on standard
  /// error (each distinct message once, `error: rank 3 on host: …`; a message of all ranks stands
  /// alone), and every rank throws the same ``JointFailure``. Let it reach ``MPI/run(_:)``.
  ///
  /// The exit status is the highest of the ranks': an error's own if it is ``ExitStatusProviding``, else
  /// 70. Calls may be nested; what an inner call has reported is not reported again. `work` may contain
  /// collectives, but an error of one rank in front of a collective of the others cannot be agreed on: the
  /// ranks learn that they are in different operations, and only an abort ends that.
  ///
  /// - Parameters:
  ///   - phase: The ledger's label for the agreement; its waiting is the imbalance of `work`.
  ///   - work: What each rank does.
  /// - Returns: What `work` returned on this rank.
  /// - Throws: ``JointFailure`` on all ranks, or ``MPIError`` if agreeing failed.
  public func together<R>(
    phase: String = "agreement", _ work: () throws -> R
  ) throws -> R {
    let result = Result { try work() }
    let cause: (any Error)? = if case .failure(let error) = result { error } else { nil }
    // 0 is success, and above it the statuses in their order, whatever an error's status may be.
    let code = cause.map { Int($0.exitStatusOrInternal) - Int(Int32.min) + 1 } ?? 0
    let highest: Int
    do {
      highest = try agree(on: Call("together", phase: phase), value: code)
    } catch {
      throw cause.map { error.following(MPI.message(of: $0)) } ?? error
    }
    guard highest > 0 else { return try result.get() }
    throw try jointFailure(
      cause, exitStatus: Int32(highest - 1 + Int(Int32.min)), phase: phase)
  }

  /// Tells all ranks what each of them met, and the user once.
  private func jointFailure(
    _ error: (any Error)?, exitStatus: Int32, phase: String
  ) throws(MPIError) -> JointFailure {
    let inner = error as? JointFailure
    let own = Failure(
      rank: worldRank, host: MPI.processorName, message: error.map { MPI.message(of: $0) },
      isReported: inner != nil)
    let parts = try allgatherV(
      [UInt8]((try? JSONEncoder().encode(own)) ?? Data()), phase: phase)
    let failures = parts.map { part in
      (try? JSONDecoder().decode(Failure.self, from: Data(part)))
        ?? Failure(rank: -1, host: "unknown host", message: "an unreadable failure")
    }
    // Agreed on all ranks already: what they said then is better than each rank's echo of it.
    if let inner, failures.allSatisfy(\.isReported) {
      return JointFailure(
        exitStatus: exitStatus, messages: inner.messages, isWorldwide: isWorldwide,
        description: inner.description)
    }
    if isRoot {
      for line in Failure.report(failures.map { $0.isReported ? $0.silent : $0 }) {
        MPI.printError(line)
      }
    }
    let messages = failures.compactMap { failure in
      failure.message.map { (failure.rank, $0) }
    }
    return JointFailure(
      exitStatus: exitStatus, messages: Dictionary(messages) { first, _ in first },
      isWorldwide: isWorldwide,
      description: Failure.report(failures).joined(separator: "\n"))
  }

  /// Whether every rank of the world is in this communicator.
  private var isWorldwide: Bool { size == MPI.worldSize }
}

extension Failure {
  /// The failure without its message.
  fileprivate var silent: Failure {
    var copy = self
    copy.message = nil
    return copy
  }
}

extension Error {
  /// The status to exit with: the error's own, or 70, "internal error" in `sysexits.h`.
  var exitStatusOrInternal: Int32 {
    (self as? any ExitStatusProviding)?.exitStatus ?? MPI.internalErrorStatus
  }
}

extension MPIError {
  /// This error, with the one in whose wake it came, which would be lost otherwise.
  fileprivate func following(_ cause: String) -> MPIError {
    MPIError(
      code: code, errorClass: errorClass, call: call,
      message: "\(message); before that, on this rank: \(cause)", rank: rank, phase: phase)
  }
}
