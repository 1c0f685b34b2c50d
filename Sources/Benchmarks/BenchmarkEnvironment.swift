import Experiments
import Foundation
import Networks
import Tensors

/// The machine and the libraries that a benchmark ran on.
public struct BenchmarkEnvironment: Codable, Sendable, CustomStringConvertible {
  public var cpu: String
  public var cores: Int

  /// The mean number of processes that wanted a core in the minute before: 0 on an idle machine.
  public var loadAverage: Double

  /// OpenBLAS' version and build options.
  public var openBLAS: String

  /// The OpenBLAS kernels in use, `Zen` say.
  public var kernels: String
  public var threads: Int
  public var permavg: String

  /// The Swift compiler that built the program.
  public var swift: String

  /// The present environment.
  ///
  /// - Parameters:
  ///   - threads: how many threads compute.
  ///   - version: permavg's.
  public init(threads: Int, version: String) {
    cpu = Self.cpuModel
    cores = ProcessInfo.processInfo.activeProcessorCount
    var load = 0.0
    loadAverage = getloadavg(&load, 1) == 1 ? load : 0
    kernels = BLAS.kernels
    openBLAS = BLAS.version.trimmingCharacters(in: .whitespaces)
    self.threads = threads
    permavg = version
    swift = Self.compiler
  }

  public var description: String {
    """
    \(cpu), \(cores) cores, load \(decimal(loadAverage, 2)) before
    \(openBLAS), kernels \(kernels); permavg \(permavg), Swift \(swift); \
    \(counted(threads, "thread"))
    """
  }

  private static var cpuModel: String {
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
    return line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
      ?? "unknown"
  }

  /// The language can only ask whether the compiler is at least of a version.
  private static var compiler: String {
    #if compiler(>=6.4)
      "6.4 or newer"
    #elseif compiler(>=6.3)
      "6.3"
    #else
      "6.2"
    #endif
  }
}
