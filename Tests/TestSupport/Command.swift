import Foundation

/// A program run to its end.
public enum Command {
  /// What a finished program left behind.
  public struct Outcome: Sendable {
    /// As a shell reports it: the exit status, or 128 and the signal.
    public let status: Int32
    public let output: String
    public let errors: String

    /// The lines that the program itself prints as errors, among those of mpirun.
    public var errorLines: [String] {
      (output + "\n" + errors).split(separator: "\n").map {
        $0.hasSuffix("\r") ? $0.dropLast() : $0
      }
      .filter { $0.hasPrefix("error: ") }.map(String.init)
    }
  }

  /// The environment the process was started with.
  ///
  /// Not the present one: starting MPI leaves `OMPI_…` and `PMIX_…` variables behind, and a child that
  /// inherits them takes itself for a rank of this process' job.
  public static let environment: [String: String] = {
    let bytes = FileManager.default.contents(atPath: "/proc/self/environ") ?? Data()
    let pairs = bytes.split(separator: 0).compactMap { entry -> (String, String)? in
      let text = String(decoding: entry, as: UTF8.self)
      guard let equals = text.firstIndex(of: "=") else { return nil }
      return (String(text[..<equals]), String(text[text.index(after: equals)...]))
    }
    return Dictionary(pairs) { first, _ in first }
  }()

  /// Whether this process is a rank itself, and must not launch others.
  public static var isUnderLauncher: Bool {
    environment["OMPI_COMM_WORLD_SIZE"] != nil || environment["PMI_SIZE"] != nil
  }

  /// The program that is running, and the folder of everything that was built with it.
  public static func executable() throws -> String {
    try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
  }

  /// Runs a program, under mpirun if a number of ranks is given.
  ///
  /// `timeout` ends a job that hangs, and mpirun where it does after an abort.
  ///
  /// - Parameters:
  ///   - command: the program's path and its arguments.
  ///   - ranks: how many ranks; nil for no launcher.
  ///   - seconds: how long it may take.
  ///   - extra: variables to set besides what mpirun needs on one machine.
  /// - Returns: how it ended, and what it wrote.
  /// - Throws: an error of the system if it could not be started.
  public static func run(
    _ command: [String], ranks: Int?, seconds: Int = 60, environment extra: [String: String] = [:]
  ) throws -> Outcome {
    let launcher = ranks.map { ["mpirun", "--oversubscribe", "-n", "\($0)"] } ?? []
    let settings = [
      "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
      "OMPI_MCA_hwloc_base_binding_policy": "none", "OMPI_MCA_mpi_yield_when_idle": "1",
      "OMPI_MCA_rmaps_base_oversubscribe": "1", "SWIFT_BACKTRACE": "enable=no",
      "PERMAVG_LIVE": "0",
    ]
    return try spawn(
      ["/usr/bin/env", "timeout", "-k", "2", "\(seconds)"] + launcher + command,
      environment: environment.merging(settings) { _, new in new }.merging(extra) { _, new in new })
  }

  /// Runs a command to its end, with its output in files.
  ///
  /// Not Foundation's `Process`, whose `waitUntilExit` was seen to miss an exit when two tests launch at
  /// once, and not pipes, which another test's child may inherit and keep open.
  private static func spawn(
    _ arguments: [String], environment: [String: String]
  ) throws -> Outcome {
    let stem = FileManager.default.temporaryDirectory.path + "/permavg-\(UUID().uuidString)"
    let streams = ["\(stem).output", "\(stem).errors"]
    defer { for stream in streams { unlink(stream) } }
    var files = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&files)
    defer { posix_spawn_file_actions_destroy(&files) }
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)
    for (descriptor, stream) in zip([Int32(1), 2], streams) {
      posix_spawn_file_actions_addopen(&files, descriptor, stream, O_WRONLY | O_CREAT, 0o600)
    }

    var argv = arguments.map { strdup($0) } + [nil]
    var envp = environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for text in argv + envp { free(text) } }
    var child: pid_t = 0
    let code = posix_spawn(&child, arguments[0], &files, nil, &argv, &envp)
    guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EIO) }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    let signal = status & 0x7f
    let texts = try streams.map {
      String(decoding: try Data(contentsOf: URL(fileURLWithPath: $0)), as: UTF8.self)
    }
    return Outcome(
      status: signal == 0 ? (status >> 8) & 0xff : 128 + signal, output: texts[0],
      errors: texts[1])
  }
}
