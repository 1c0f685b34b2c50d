import Foundation
import Merging
import Networks
import Training

/// What a study is: one experiment at several ensemble sizes, from several seeds.
///
/// Kept as `study.json` of its folder.
public struct StudyPlan: Codable, Equatable, Sendable {
  /// The version of this file's form that this program reads and writes.
  static let currentVersion = 2

  /// The version of this file's form.
  public var version = currentVersion

  /// Settings of every cell; its seed is the first, its member count the largest.
  public var experiment: Experiment

  /// M of the cells, ascending.
  public var sizes: [Int]

  /// How many seeds, counted up from the experiment's.
  public var seedCount: Int

  /// The ways to merge.
  public var chains: [StudyChain]

  /// What members are coupled by, each way from the start beside members that are not; nil for none.
  public var exchanges: [Coupling]?

  /// A plan.
  ///
  /// - Parameters:
  ///   - experiment: settings of every cell; the member count is taken from `sizes`.
  ///   - sizes: M of the cells, in any order.
  ///   - seedCount: how many seeds.
  ///   - chains: the ways to merge.
  ///   - exchanges: what members are coupled by, each way beside members that are not.
  public init(
    _ experiment: Experiment, sizes: [Int], seedCount: Int, chains: [StudyChain],
    exchanges: [Coupling] = []
  ) {
    var distinct: [Coupling] = []
    for coupling in exchanges where !distinct.contains(coupling) { distinct.append(coupling) }
    self.exchanges = distinct.isEmpty ? nil : distinct
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
    guard sizes.count == 1 || experiment.shards == nil && exchanges == nil else {
      throw UsageError(
        "--members \(sizes.map(String.init).joined(separator: ",")): where members have their own images, or"
          + " are coupled, each size is a study of its own; give one")
    }
    for chain in chains {
      if let problem = chain.chain.problem(for: experiment.architecture) {
        throw UsageError("--method \(chain): \(problem)")
      }
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

  /// The experiment of coupled members.
  func experiment(seed: UInt64, coupledBy coupling: Coupling) -> Experiment {
    var result = experiment(seed: seed, members: experiment.members)
    result.exchange = coupling
    result.students = 0
    return result
  }

  /// The chains that are run at a size.
  func chains(at size: Int) -> [MethodChain] {
    chains.filter { size <= $0.largest ?? .max }.map(\.chain)
  }

  /// What may not change in a folder that holds a study: everything but how far it goes.
  func differences(from there: StudyPlan) -> [String] {
    var other = there.experiment
    // Members of shards, and such as were coupled, are of one M.
    if experiment.shards == nil, exchanges == nil { other.members = experiment.members }
    return experiment.differences(from: other.adoptingLaterStages(of: experiment))
  }
}

/// A way to merge, and the largest ensemble that a study tries it on: `permavg@8`.
public struct StudyChain: Equatable, Sendable {
  public private(set) var chain: MethodChain

  /// The largest M; nil for all.
  public let largest: Int?

  /// The chain that a text names, perhaps with a largest M; nil if it is none.
  public init?(_ description: String) {
    guard let value = try? StudyChain(parsing: description) else { return nil }
    self = value
  }

  /// The chain that a text names, perhaps with a largest M.
  ///
  /// - Throws: `MergeError` saying what is wrong.
  public init(parsing text: String) throws(MergeError) {
    let parts = text.split(separator: "@", omittingEmptySubsequences: false)
    chain = try MethodChain(parsing: String(parts[0]))
    guard parts.count > 1 else {
      largest = nil
      return
    }
    guard parts.count == 2, let size = Int(parts[1]), size > 0 else {
      throw MergeError("\"\(text)\": expected methods@M with the largest M from 1, as permavg@8")
    }
    largest = size
  }

  /// The same with a setting wherever a method has it and it was not given.
  ///
  /// - Throws: `MergeError` if the value is out of range.
  public func settingDefaults(
    _ change: (MethodChain) throws -> MethodChain
  ) rethrows -> StudyChain {
    var result = self
    result.chain = try change(chain)
    return result
  }

  public var description: String {
    chain.description + (largest.map { "@\($0)" } ?? "")
  }
}

extension StudyChain: CodableAsText {
  public static func problem(with text: String) -> String {
    "\"\(text)\" is not a chain of merging methods"
  }
}
