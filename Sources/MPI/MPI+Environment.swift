import CMPI
import Foundation

extension MPI {
  /// The library's name and version, in its own words.
  public static var libraryVersion: String {
    text(capacity: Int(MPI_MAX_LIBRARY_VERSION_STRING)) { MPI_Get_library_version($0, $1) }
  }

  /// The name of the node that this rank runs on.
  public static var processorName: String {
    text(capacity: Int(MPI_MAX_PROCESSOR_NAME)) { MPI_Get_processor_name($0, $1) }
  }

  /// MPI's text for an error code.
  static func text(of code: Int32) -> String {
    text(capacity: Int(MPI_MAX_ERROR_STRING)) { MPI_Error_string(code, $0, $1) }
  }

  /// Seconds on a clock of this rank's own: only differences mean anything (MPI-3.1, section 8.6).
  public static var seconds: Double { MPI_Wtime() }

  /// How many ranks the job has.
  static var worldSize: Int {
    var size: Int32 = 1
    MPI_Comm_size(mpi_comm_world().value, &size)
    return Int(size)
  }

  /// Whether MPI has ended, after which no handle may be touched.
  static var isFinalized: Bool {
    var isFinalized: Int32 = 0
    MPI_Finalized(&isFinalized)
    return isFinalized != 0
  }

  /// Whether the calling thread is the one that may use MPI, at the level MPI was started with.
  static var isOnItsThread: Bool {
    var level: Int32 = 0
    var isMain: Int32 = 0
    MPI_Query_thread(&level)
    MPI_Is_thread_main(&isMain)
    return level > mpi_thread_funneled() || isMain != 0
  }

  /// The text of an error: its description, or else what Foundation or Swift say of it.
  static func message(of error: some Error) -> String {
    // Through `Any`, or the cast finds the description that Foundation gives to every error.
    if let error = error as Any as? any CustomStringConvertible { return error.description }
    if let text = (error as? any LocalizedError)?.errorDescription { return text }
    return "\(error)"
  }

  /// Writes one line to standard error.
  static func printError(_ message: String) {
    // Whole lines in one call, so that lines of several ranks do not mix; a closed stream is nobody's fault.
    // What a file calls its parts may be in a message: it must not reach the terminal as commands or lines.
    var line = ""
    for scalar in message.unicodeScalars {
      if scalar.properties.generalCategory == .control {
        line += scalar.escaped(asASCII: true)
      } else {
        line.unicodeScalars.append(scalar)
      }
    }
    try? FileHandle.standardError.write(contentsOf: Data("error: \(line)\n".utf8))
  }

  /// A string that a C function writes together with its length.
  static func text(
    capacity: Int, _ fill: (UnsafeMutablePointer<CChar>?, UnsafeMutablePointer<Int32>) -> Int32
  ) -> String {
    var buffer = [CChar](repeating: 0, count: capacity + 1)
    var length: Int32 = 0
    guard fill(&buffer, &length) == MPI_SUCCESS else { return "" }
    return String(decoding: buffer.prefix(Int(length)).map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
