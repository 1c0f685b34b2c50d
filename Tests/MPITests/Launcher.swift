import TestSupport

/// Starts this test bundle once more, as an MPI program of its own.
enum Launcher {
  /// Runs one scenario, on `ranks` ranks or without a launcher.
  static func run(
    _ scenario: Scenario, ranks: Int?, environment: [String: String] = [:]
  ) throws -> Command.Outcome {
    try Command.run(
      [
        try Command.executable(), "--testing-library", "swift-testing", "--filter",
        "MPITests.ScenarioTests",
      ], ranks: ranks,
      environment: environment.merging([Scenario.variable: scenario.rawValue]) { own, _ in own })
  }
}
