/// What a run cost in time: `timings.json` of a run folder.
public struct Timings: Codable, Equatable, Sendable {
  /// The version of this file's form.
  public var version = 1

  /// Seconds it took to make each thing, by its path in the folder without the ending.
  public var seconds: [String: Double] = [:]
}
