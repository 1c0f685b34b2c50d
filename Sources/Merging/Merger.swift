import Networks

/// One step on the way from an ensemble's members to one network.
///
/// To add one: write a file with a type of this protocol and its ``MergingMethod``, and name that in
/// ``MergingMethod/all``.
public protocol Merger {
  /// Takes a merge one step further.
  ///
  /// - Parameters:
  ///   - merge: what the steps before have come to.
  ///   - context: training data, seed and threads, for steps that need them.
  /// - Throws: ``MergeError`` if the step cannot be taken.
  func apply(to merge: inout Merge, in context: MergeContext) throws
}

extension Merger {
  /// Merges members by this step alone.
  ///
  /// - Throws: ``MergeError``
  public func merge(_ members: [Network], in context: MergeContext = MergeContext()) throws -> Merge
  {
    var merge = try Merge(members)
    try apply(to: &merge, in: context)
    return merge
  }
}

/// What a step may use.
public struct MergeContext {
  /// Batches of training data; nil if the step has to do without.
  public var batches: (any BatchSource)?

  /// Gives batches with the ensemble's predictions at a temperature as soft targets; nil without data.
  public var taughtBatches: ((_ temperature: Float) throws -> any BatchSource)?

  /// Sums over training data; nil if the step has to do without.
  public var sums: (any SampleSums)?

  /// The seed of whatever the step draws.
  public var seed: UInt64

  /// How many threads may compute; results do not depend on it.
  public var threads: Int

  /// Called now and then with the steps done and the steps there will be.
  public var onStep: (Int, Int) -> Void

  /// Gives the accuracy on held-out images of a network, if any are held out.
  public var validate: ((Network) -> Double)?

  /// A context.
  public init(
    batches: (any BatchSource)? = nil,
    taughtBatches: ((_ temperature: Float) throws -> any BatchSource)? = nil,
    sums: (any SampleSums)? = nil, seed: UInt64 = 1, threads: Int = 1,
    onStep: @escaping (Int, Int) -> Void = { _, _ in }, validate: ((Network) -> Double)? = nil
  ) {
    self.batches = batches
    self.taughtBatches = taughtBatches
    self.sums = sums
    self.seed = seed
    self.threads = threads
    self.onStep = onStep
    self.validate = validate
  }
}

extension MergeContext {
  /// The training data to sum over.
  ///
  /// - Parameter method: what needs it, for the error.
  /// - Returns: sums over at least one sample.
  /// - Throws: ``MergeError`` if there is none.
  func sums(for method: String) throws(MergeError) -> any SampleSums {
    guard let sums, sums.sampleCount > 0 else {
      throw MergeError("\(method) needs training data, and there is none")
    }
    return sums
  }
}

/// A merge that cannot be done.
public struct MergeError: Error, CustomStringConvertible {
  public let description: String

  /// An error with the text a user sees.
  public init(_ description: String) { self.description = description }
}
