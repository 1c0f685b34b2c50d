import Foundation

@testable import MPI

/// Starts this test bundle once more, as an MPI program of its own.
enum Launcher {
  struct Outcome {
    let status: Int32
    let output: String
    /// The lines that ``MPI/run(_:)`` and `together` print.
    var errors: [Substring] {
      output.split(separator: "\n").filter { $0.hasPrefix("error: ") }
        .map { $0.hasSuffix("\r") ? $0.dropLast() : $0 }
    }
  }

  /// The environment the process was started with.
  ///
  /// Not the present one: starting MPI leaves `OMPI_…` and `PMIX_…` variables behind, and a child that
  /// inherits them takes itself for a rank of this process' job.
  static let environment: [String: String] = {
    let bytes = FileManager.default.contents(atPath: "/proc/self/environ") ?? Data()
    let pairs = bytes.split(separator: 0).compactMap { entry -> (String, String)? in
      let text = String(decoding: entry, as: UTF8.self)
      guard let equals = text.firstIndex(of: "=") else { return nil }
      return (String(text[..<equals]), String(text[text.index(after: equals)...]))
    }
    return Dictionary(pairs) { first, _ in first }
  }()

  /// Whether this process is a rank itself, and must not launch others.
  static var isUnderLauncher: Bool {
    environment["OMPI_COMM_WORLD_SIZE"] != nil || environment["PMI_SIZE"] != nil
  }

  /// Runs one scenario, on `ranks` ranks or without a launcher.
  ///
  /// `timeout` ends a job that hangs, and mpirun where it does after an abort.
  static func run(
    _ scenario: Scenario, ranks: Int?, environment extra: [String: String] = [:]
  ) throws -> Outcome {
    let bundle = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let launcher = ranks.map { ["mpirun", "--oversubscribe", "-n", "\($0)"] } ?? []
    let settings = [
      "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
      "OMPI_MCA_hwloc_base_binding_policy": "none", "OMPI_MCA_mpi_yield_when_idle": "1",
      "OMPI_MCA_rmaps_base_oversubscribe": "1", "SWIFT_BACKTRACE": "enable=no",
      Scenario.variable: scenario.rawValue,
    ]
    return try spawn(
      ["/usr/bin/env", "timeout", "-k", "2", "60"] + launcher
        + [bundle, "--testing-library", "swift-testing", "--filter", "MPITests.ScenarioTests"],
      environment: environment.merging(settings) { _, new in new }.merging(extra) { _, new in new })
  }

  /// Runs a command to its end, with its output in a file.
  ///
  /// Not Foundation's `Process`, whose `waitUntilExit` was seen to miss an exit when two tests launch at
  /// once, and not a pipe, which another test's child may inherit and keep open.
  private static func spawn(
    _ arguments: [String], environment: [String: String]
  ) throws -> Outcome {
    let output = FileManager.default.temporaryDirectory
      .appending(path: "mpi-output-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: output) }
    var files = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&files)
    defer { posix_spawn_file_actions_destroy(&files) }
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&files, 1, output.path(), O_WRONLY | O_CREAT, 0o600)
    posix_spawn_file_actions_adddup2(&files, 1, 2)

    var argv = arguments.map { strdup($0) } + [nil]
    var envp = environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for text in argv + envp { free(text) } }
    var child: pid_t = 0
    let code = posix_spawn(&child, arguments[0], &files, nil, &argv, &envp)
    guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EIO) }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    // As a shell reports it: the exit status, or 128 and the signal.
    let signal = status & 0x7f
    return Outcome(
      status: signal == 0 ? (status >> 8) & 0xff : 128 + signal,
      output: String(decoding: try Data(contentsOf: output), as: UTF8.self))
  }
}
