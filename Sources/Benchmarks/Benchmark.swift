import Experiments
import Foundation
import MPI

/// The benchmarks by the names the command line knows them by.
public enum Benchmark: String, Sendable, CaseIterable {
  case training
  case merging
  case kernels
  case inference

  /// One line about the benchmark.
  public var summary: String {
    switch self {
    case .training: "an epoch of training one network, and the parts of a step"
    case .merging: "a step and an epoch of learning PermAVG's permutations"
    case .kernels: "matrix products, Sinkhorn's operator, linear assignment"
    case .inference: "an ensemble against one merged network"
    }
  }

  /// Reads and makes what the benchmark needs.
  private func prepare(_ settings: BenchmarkSettings) throws -> any Measurement {
    try settings.validate()
    switch self {
    case .training: return try TrainingBenchmark(settings)
    case .merging: return try MergingBenchmark(settings)
    case .kernels: return try KernelBenchmark(settings)
    case .inference: return try InferenceBenchmark(settings)
    }
  }

  /// Runs the benchmark on every rank at once, each for itself: they share the machine and no messages.
  ///
  /// - Parameters:
  ///   - settings: on what, and how often.
  ///   - world: all ranks.
  ///   - version: permavg's.
  /// - Returns: the report, on rank 0; nil elsewhere. Several ranks' rows are named `rank 1: …`.
  /// - Throws: `JointFailure`, on every rank.
  public func run(
    _ settings: BenchmarkSettings, in world: Communicator, version: String
  ) throws -> BenchmarkReport? {
    let environment = BenchmarkEnvironment(threads: settings.threads, version: version)
    let measurement = try world.together { try prepare(settings) }
    try world.barrier(phase: "start together")
    var own = BenchmarkReport(environment: environment)
    own.rows = try world.together { try measurement.measure() }
    own.notes = measurement.notes
    // A rank that is done leaves its core to the others.
    try world.idleBarrier(phase: "waiting for the last to measure")
    let encoded = [UInt8](try JSONEncoder().encode(own.rows))
    let gathered = try world.gatherV(encoded, to: 0, phase: "gather measurements")
    guard let gathered else { return nil }
    if world.size > 1 {
      own.rows = try gathered.enumerated().flatMap { rank, bytes in
        try JSONDecoder().decode([BenchmarkReport.Row].self, from: Data(bytes)).map {
          var row = $0
          row.name = "rank \(rank): \(row.name)"
          return row
        }
      }
    }
    return own
  }
}

/// Something that can be timed, with all that it needs at hand.
protocol Measurement {
  /// What a reader of the rows should know.
  var notes: [String] { get }

  /// Times everything, a row each.
  func measure() throws -> [BenchmarkReport.Row]
}

extension Measurement {
  var notes: [String] { [] }
}
