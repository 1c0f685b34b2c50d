import Networks

/// One step on the way from an ensemble's members to one network.
///
/// To add one: write a file with a type of this protocol and its ``MergeMethod``, and name that in
/// ``MethodCatalog/standard``.
public protocol MergeStep {
  /// Takes a merge one step further.
  ///
  /// - Parameters:
  ///   - state: what the steps before have come to.
  ///   - resources: training data, seed, and the team, for steps that need them.
  /// - Throws: ``MergeError`` if the step cannot be taken.
  func apply(to state: inout MergeState, with resources: MergeResources) throws
}

extension MergeStep {
  /// Merges members by this step alone.
  ///
  /// - Throws: ``MergeError``
  public func merge(
    _ members: [Network], with resources: MergeResources = MergeResources()
  ) throws -> MergeState {
    var state = try MergeState(members)
    try apply(to: &state, with: resources)
    return state
  }
}

/// What a step may use.
public struct MergeResources {
  /// Who shares the step's work.
  ///
  /// A step that is not shared has a team of this process' threads.
  public var team: any Team

  /// Batches of training data; nil if the step has to do without.
  public var batches: (any BatchSource)?

  /// Gives batches with the ensemble's predictions at a temperature as soft targets; nil without data.
  public var taughtBatches: ((_ temperature: Float) throws -> any BatchSource)?

  /// Sums over the training samples as they are; nil if the step has to do without.
  ///
  /// The team's, as `sums(for:)` gives them.
  public var sums: SampleSums?

  /// Whether samples lie with different workers.
  public var isSharded: Bool { sums?.isSharded ?? false }

  /// The seed of whatever the step draws.
  public var seed: UInt64

  /// Called now and then with the steps done and the steps there will be.
  public var onStep: (Int, Int) -> Void

  /// Gives the accuracy on held-out images of a network, if any are held out.
  ///
  /// Where samples are sharded every worker must ask, and gets the same; else the first worker alone has it.
  public var validate: ((Network) throws -> Double)?

  /// Resources.
  public init(
    team: any Team = ThreadTeam(), batches: (any BatchSource)? = nil,
    taughtBatches: ((_ temperature: Float) throws -> any BatchSource)? = nil,
    samples: (any Samples)? = nil, seed: UInt64 = 1,
    onStep: @escaping (Int, Int) -> Void = { _, _ in },
    validate: ((Network) throws -> Double)? = nil
  ) {
    self.team = team
    self.batches = batches
    self.taughtBatches = taughtBatches
    sums = samples.map { SampleSums($0, team: team) }
    self.seed = seed
    self.onStep = onStep
    self.validate = validate
  }

  /// How many threads this worker may compute with; results do not depend on it.
  public var threads: Int { team.threads }

  /// Sums over the training samples.
  ///
  /// - Parameter method: what needs them, for the error.
  /// - Returns: sums over at least one sample.
  /// - Throws: ``MergeError`` if there are none.
  func sums(for method: String) throws(MergeError) -> SampleSums {
    guard var sums, sums.sampleCount > 0 else {
      throw MergeError("\(method) needs training data, and there is none")
    }
    sums.team = team
    return sums
  }

  /// Sums over the training samples for statistics of units: of networks with images over ``mostImages`` of them.
  ///
  /// - Parameters:
  ///   - method: what needs them, for the error.
  ///   - graph: whose units.
  /// - Returns: sums over at least one sample.
  /// - Throws: ``MergeError`` if there are none.
  func sums(for method: String, of graph: Graph) throws(MergeError) -> SampleSums {
    let sums = try sums(for: method)
    return graph.hasImages ? sums.limited(to: Self.mostImages) : sums
  }

  /// Images that statistics of channels are taken of at most.
  static let mostImages = 8192

  /// Batches with the labels alone.
  ///
  /// - Parameter method: what needs them, for the error.
  /// - Returns: the batches.
  /// - Throws: ``MergeError`` if there are none.
  func batches(for method: String) throws(MergeError) -> any BatchSource {
    guard let batches else { throw MergeError("\(method) needs training data, and there is none") }
    return batches
  }
}

/// A merge that cannot be done.
public struct MergeError: Error, CustomStringConvertible {
  public let description: String

  /// Whether it is a member's weights that stand in the way, and not what was asked for.
  public let isAboutWeights: Bool

  /// An error with the text a user sees.
  public init(_ description: String, isAboutWeights: Bool = false) {
    self.description = description
    self.isAboutWeights = isAboutWeights
  }
}
