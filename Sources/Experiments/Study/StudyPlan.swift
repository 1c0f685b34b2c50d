import Foundation
import Merging

/// What a study is: one experiment at several ensemble sizes, from several seeds.
///
/// Kept as `study.json` of its folder.
public struct StudyPlan: Codable, Equatable, Sendable {
  /// The version of this file's form.
  public var version = 1

  /// Settings of every cell; its seed is the first, its member count the largest.
  public var experiment: Experiment

  /// M of the cells, ascending.
  public var sizes: [Int]

  /// How many seeds, counted up from the experiment's.
  public var seedCount: Int

  /// The ways to merge.
  public var chains: [StudyChain]

  /// A plan.
  ///
  /// - Parameters:
  ///   - experiment: settings of every cell; the member count is taken from `sizes`.
  ///   - sizes: M of the cells, in any order.
  ///   - seedCount: how many seeds.
  ///   - chains: the ways to merge.
  public init(_ experiment: Experiment, sizes: [Int], seedCount: Int, chains: [StudyChain]) {
    self.experiment = experiment
    self.sizes = Set(sizes).sorted()
    self.seedCount = seedCount
    self.chains = chains
    self.experiment.members = self.sizes.last ?? 0
  }

  /// Checks what the types do not.
  ///
  /// - Throws: ``UsageError`` naming the option that is out of range.
  func validate() throws(UsageError) {
    guard (1...100_000).contains(seedCount) else {
      throw UsageError("--seeds \(seedCount): expected 1 to 100000")
    }
    guard !sizes.isEmpty, sizes.allSatisfy({ (1...100_000).contains($0) }) else {
      throw UsageError(
        "--members \(sizes.map(String.init).joined(separator: ",")): expected numbers from 1 to"
          + " 100000, separated by commas")
    }
    try experiment.validate()
  }

  var seeds: [UInt64] { (0..<UInt64(seedCount)).map { experiment.seed &+ $0 } }

  /// The experiment of one cell.
  func experiment(seed: UInt64, members: Int) -> Experiment {
    var result = experiment
    result.seed = seed
    result.members = members
    return result
  }

  /// The chains that are run at a size.
  func chains(at size: Int) -> [MergeChain] {
    chains.filter { size <= $0.largest ?? .max }.map(\.chain)
  }

  /// What may not change in a folder that holds a study: everything but how far it goes.
  func differences(from there: StudyPlan) -> [String] {
    var other = there.experiment
    other.members = experiment.members
    return experiment.differences(from: other.adoptingLaterStages(of: experiment))
  }
}

/// A way to merge, and the largest ensemble that a study tries it on: `permavg@8`.
public struct StudyChain: Codable, Equatable, Sendable, LosslessStringConvertible {
  public let chain: MergeChain

  /// The largest M; nil for all.
  public let largest: Int?

  /// The chain that a text names, perhaps with a largest M; nil if it is none.
  public init?(_ description: String) {
    let parts = description.split(separator: "@", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let chain = MergeChain(String(parts[0])) else {
      return nil
    }
    if parts.count == 2 {
      guard let largest = Int(parts[1]), largest > 0 else { return nil }
      self.largest = largest
    } else {
      largest = nil
    }
    self.chain = chain
  }

  public var description: String {
    chain.description + (largest.map { "@\($0)" } ?? "")
  }

  public init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let value = StudyChain(text) else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription: "\"\(text)\" is not a chain of merging methods"))
    }
    self = value
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
