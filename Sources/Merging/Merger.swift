import Networks

/// A way to make one network of an ensemble's members.
///
/// To add one: write a file with a type of this protocol and its ``MergingMethod``, and name that in
/// ``MergingMethod/all``.
public protocol Merger {
  /// Makes one network, or several variants of it.
  ///
  /// - Parameters:
  ///   - members: networks of one architecture, by member number.
  ///   - context: training data and threads, for methods that need them.
  /// - Returns: the merged networks, and what was learned on the way.
  /// - Throws: ``MergeError`` if the members cannot be merged.
  func merge(_ members: [Network], in context: MergeContext) throws -> MergeResult
}

/// What a merger may use.
public struct MergeContext {
  /// Batches of training data; nil if the method has to do without.
  public var batches: (any BatchSource)?

  /// How many threads may compute; results do not depend on it.
  public var threads: Int

  /// Called now and then with the steps done and the steps there will be.
  public var onStep: (Int, Int) -> Void

  /// Gives the accuracy on held-out images of a network, if any are held out.
  public var validate: ((Network) -> Double)?

  /// A context.
  public init(
    batches: (any BatchSource)? = nil, threads: Int = 1,
    onStep: @escaping (Int, Int) -> Void = { _, _ in }, validate: ((Network) -> Double)? = nil
  ) {
    self.batches = batches
    self.threads = threads
    self.onStep = onStep
    self.validate = validate
  }
}

/// What came of a merge.
public struct MergeResult: Sendable {
  /// The merged networks; most methods give one, of variant "".
  public var variants: [MergedVariant]

  /// One epoch of learning each, for methods that learn.
  public var history: [MergeEpoch] = []

  /// The learned matrices P[m][l] of member m and hidden layer l, for methods that have them.
  public var softPermutations: [[Matrix]]?

  /// The permutations [m][l], for methods that have them.
  public var permutations: [[Permutation]]?

  /// A result.
  public init(variants: [MergedVariant]) { self.variants = variants }
}

/// One network that a merge made.
public struct MergedVariant: Sendable {
  /// What sets it apart from the method's other variants: "" or "hard".
  public let suffix: String
  public let network: Network

  /// A variant.
  public init(suffix: String = "", network: Network) {
    self.suffix = suffix
    self.network = network
  }
}

/// What one epoch of learning a merge came to.
public struct MergeEpoch: Codable, Equatable, Sendable {
  /// From 1.
  public let epoch: Int
  /// The merged network's mean training loss in nats, each batch before its own step.
  public let loss: Double
  /// The merged network's accuracy on the training batches, each before its own step.
  public let accuracy: Double
  /// The accuracy on held-out images after the epoch; nil without a validation split.
  public let validationAccuracy: Double?
  /// The mean over rows of the largest entry of the learned matrices: 1 for permutations.
  public let sharpness: Double
}

/// A merge that cannot be done.
public struct MergeError: Error, CustomStringConvertible {
  public let description: String

  /// An error with the text a user sees.
  public init(_ description: String) { self.description = description }
}

/// A way to merge by the name the command line knows it by.
public struct MergingMethod: Sendable {
  public let name: String

  /// One line about the method.
  public let summary: String

  private let make: @Sendable (MergeSettings) -> any Merger

  /// A method.
  ///
  /// - Parameters:
  ///   - name: as the command line and the run folder spell it.
  ///   - summary: one line about it.
  ///   - make: gives the merger for some settings.
  public init(
    name: String, summary: String, make: @escaping @Sendable (MergeSettings) -> any Merger
  ) {
    self.name = name
    self.summary = summary
    self.make = make
  }

  /// Every method, in the order they are listed in.
  public static let all = [naive, permavg]

  /// The method of a name.
  public static func named(_ name: String) -> MergingMethod? { all.first { $0.name == name } }

  /// The merger that does it.
  public func merger(_ settings: MergeSettings) -> any Merger { make(settings) }
}

/// The settings of every method that has some.
public struct MergeSettings: Codable, Equatable, Sendable {
  public var permAVG: PermAVGSettings

  /// Settings of the methods.
  public init(permAVG: PermAVGSettings) { self.permAVG = permAVG }
}

/// Checks that members can be merged at all.
///
/// - Throws: ``MergeError`` if there are none, or their architectures differ.
func requireOneArchitecture(_ members: [Network]) throws(MergeError) -> Architecture {
  guard let first = members.first?.architecture else { throw MergeError("no members to merge") }
  for (number, member) in members.enumerated() where member.architecture != first {
    throw MergeError(
      "member \(number) has the architecture \(member.architecture), member 0 has \(first);"
        + " only members of one architecture can be merged")
  }
  return first
}
