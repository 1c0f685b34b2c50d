/// Data that cannot be used: which file or folder, and what about it.
public struct DataError: Error, Equatable, CustomStringConvertible {
  public let path: String
  public let problem: String

  /// An error about the file or folder at `path`.
  public init(_ path: String, _ problem: String) {
    self.path = path
    self.problem = problem
  }

  public var description: String { "\(path): \(problem)" }
}
