import Networks

/// A step of merging by the name the command line knows it by.
public struct MergingMethod: Sendable {
  public let name: String

  /// One line about the method.
  public let summary: String

  /// Whether it needs training data.
  public let needsData: Bool

  private let make: @Sendable (MergeSettings) -> any Merger

  /// A method.
  ///
  /// - Parameters:
  ///   - name: as the command line and the run folder spell it; lower case letters and hyphens.
  ///   - summary: one line about it.
  ///   - needsData: whether it can do without training data.
  ///   - make: gives the merger for some settings.
  public init(
    name: String, summary: String, needsData: Bool = false,
    make: @escaping @Sendable (MergeSettings) -> any Merger
  ) {
    self.name = name
    self.summary = summary
    self.needsData = needsData
    self.make = make
  }

  /// Every method, in the order they are listed in.
  public static let all = [
    naive, weightMatching, mergeMany, c2m3, permavg, harden, neuronSelection, greedySoup,
    bestMember,
  ]

  /// The method of a name.
  public static func named(_ name: String) -> MergingMethod? { all.first { $0.name == name } }

  /// The merger that does it.
  public func merger(_ settings: MergeSettings) -> any Merger { make(settings) }
}

/// The settings of every method that has some.
public struct MergeSettings: Codable, Equatable, Sendable {
  public var matching: MatchingSettings
  public var permAVG: PermAVGSettings

  /// Settings of the methods.
  public init(matching: MatchingSettings, permAVG: PermAVGSettings) {
    self.matching = matching
    self.permAVG = permAVG
  }
}
