import CMPI

/// What MPI, or a check in front of it, reported.
///
/// Every return code is checked and every communicator returns its errors, so this is how each of
/// them arrives. An error inside a collective is usually known to one rank only: its peers may be
/// waiting in theirs. The safe continuation is to let it reach ``MPI/run(_:)``, which aborts the job.
/// The exceptions are errors about arguments that the ranks compared before they communicated: those
/// are thrown on every rank.
public struct MPIError: Error, CustomStringConvertible, Equatable {
  /// The code that MPI returned; its meaning depends on the library.
  public let code: Int32
  /// The class of the code, one of MPI's own `MPI_ERR_…` constants (MPI-3.1, section 8.4).
  public let errorClass: Int32
  /// The call that failed, for instance `MPI_Bcast`, or the operation whose arguments were wrong.
  public let call: String
  /// MPI's text for the code, followed by what this binding knows about the cause.
  public let message: String
  /// The rank in the world on which it happened.
  public let rank: Int
  /// The label that the caller gave to the operation.
  public let phase: String

  public var description: String { "\(call) in phase \"\(phase)\": \(message)" }

  /// An error with MPI's text for `code`, and `detail` where a check knows more than MPI.
  init(code: Int32, call: String, phase: String, rank: Int, detail: String? = nil) {
    var errorClass = code
    MPI_Error_class(code, &errorClass)
    let text = MPI.text(of: code)
    self.init(
      code: code, errorClass: errorClass, call: call,
      message: detail.map { "\(text): \($0)" } ?? text, rank: rank, phase: phase)
  }

  init(
    code: Int32, errorClass: Int32, call: String, message: String, rank: Int, phase: String
  ) {
    self.code = code
    self.errorClass = errorClass
    self.call = call
    self.message = message
    self.rank = rank
    self.phase = phase
  }
}

extension Communicator {
  /// Turns the return code of `call` into a thrown error.
  func check(_ code: Int32, _ call: String, phase: String) throws(MPIError) {
    guard code == MPI_SUCCESS else {
      throw MPIError(code: code, call: call, phase: phase, rank: worldRank)
    }
  }

  /// An error about arguments, of one of MPI's classes.
  func invalid(
    _ errorClass: Int32, _ call: String, phase: String, _ detail: String
  ) -> MPIError {
    MPIError(code: errorClass, call: call, phase: phase, rank: worldRank, detail: detail)
  }
}
