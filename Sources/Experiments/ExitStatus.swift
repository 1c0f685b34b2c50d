import Datasets
import MPI
import Merging
import Networks
import Tensors
import Training

/// The statuses that the program exits with, besides 0 for done and 70 for an internal error.
public enum ExitStatus {
  /// Options or settings that cannot work.
  public static let usage: Int32 = 2
  /// Data or a file that cannot be read or written.
  public static let invalidFile: Int32 = 3
  /// A checkpoint that cannot be used.
  public static let unusableCheckpoint: Int32 = 4
}

/// Something asked for that cannot be done.
public struct UsageError: Error, Equatable, CustomStringConvertible, ExitStatusProviding {
  public let description: String
  public var exitStatus: Int32 { ExitStatus.usage }

  /// An error with the text a user sees.
  public init(_ description: String) { self.description = description }
}

/// A file of a run folder that cannot be used.
public struct RunFolderError: Error, Equatable, CustomStringConvertible, ExitStatusProviding {
  public let path: String
  public let problem: String
  public var description: String { "\(path): \(problem)" }
  public var exitStatus: Int32 { ExitStatus.invalidFile }

  package init(_ path: String, _ problem: String) {
    self.path = path
    self.problem = problem
  }
}

extension DataError: ExitStatusProviding {
  public var exitStatus: Int32 { ExitStatus.invalidFile }
}

extension FileWriteError: ExitStatusProviding {
  public var exitStatus: Int32 { ExitStatus.invalidFile }
}

extension CheckpointError: ExitStatusProviding {
  public var exitStatus: Int32 { ExitStatus.unusableCheckpoint }
}

extension MergeError: ExitStatusProviding {
  public var exitStatus: Int32 {
    isAboutWeights ? ExitStatus.unusableCheckpoint : ExitStatus.usage
  }
}

extension GraphError: ExitStatusProviding {
  public var exitStatus: Int32 { ExitStatus.usage }
}

extension DivergenceError: ExitStatusProviding {
  public var exitStatus: Int32 { ExitStatus.usage }
}
