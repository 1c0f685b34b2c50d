import Foundation
import Networks
import TestSupport
import Testing

@testable import Benchmarks

@Suite struct BenchmarkTests {
  /// Runs a benchmark of a small network, which must end well, and reads its report.
  private func report(
    _ benchmark: Benchmark, ranks: Int? = nil, _ options: [String] = []
  ) throws -> BenchmarkReport {
    let outcome = try Program.permavg(
      ranks: ranks,
      [
        "benchmark", benchmark.rawValue, "--batches", "2", "--repeats", "2", "--dataset",
        "synthetic", "--architecture", "784-16-10", "--json",
      ] + options)
    try #require(outcome.status == 0, "\(outcome.errors)")
    return try JSONDecoder().decode(BenchmarkReport.self, from: Data(outcome.output.utf8))
  }

  @Test(arguments: Benchmark.allCases)
  func `every benchmark prints its rows as JSON`(benchmark: Benchmark) throws {
    let report = try report(benchmark, benchmark == .kernels ? ["--filter", "512 × 784"] : [])
    #expect(report.environment.threads == 1)
    #expect(report.rows.count >= 2)
    #expect(Set(report.rows.map(\.name)).count == report.rows.count)
    for row in report.rows where row.name != "step: other passes" {
      #expect(row.minimum > 0 && row.minimum <= row.seconds, "\(row)")
    }
  }

  @Test func `every rank measures for itself`() throws {
    let names = try report(.training, ranks: 2).rows.map(\.name)
    #expect(names.contains("rank 0: epoch") && names.contains("rank 1: epoch"))
  }

  @Test func `a count below one is refused by name`() throws {
    let outcome = try Program.permavg(["benchmark", "training", "--repeats", "0"])
    #expect(outcome.status == 2)
    #expect(outcome.errors.contains("--repeats 0"))
  }

  @Test func `matrices are saved for the peers`() throws {
    try withTemporaryFolder { folder in
      let report = try report(.kernels, ["--filter", "nothing", "--save-matrices", folder])
      #expect(report.rows.isEmpty)
      let file = try Safetensors(contentsOf: "\(folder)/weights-512.safetensors")
      #expect(file["similarity"]?.shape == [512, 512])
    }
  }

  @Test func `an epoch of which a part is run is scaled up, with its opening counted once`() {
    // Two epochs of three of ten batches: a second a batch, and four more before each epoch.
    let times = BatchTimes(ends: [5, 6, 7, 12, 13, 14])
    #expect(times.epochs(timed: 3, of: 10, after: 1).seconds == [14])
    #expect(times.steps(timed: 3, after: 1).seconds == [1])
  }
}
