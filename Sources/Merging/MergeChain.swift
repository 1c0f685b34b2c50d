import Networks

/// Merging methods that follow one another, `weight-matching,repair`: each starts from what those before
/// have come to.
public struct MergeChain: Hashable, Sendable, LosslessStringConvertible {
  /// At least one.
  public let methods: [MergingMethod]

  /// A chain of at least one method.
  public init(_ methods: MergingMethod...) {
    precondition(!methods.isEmpty, "a chain of no methods")
    self.methods = methods
  }

  /// The chain that a text names, methods separated by commas or plus signs; nil if one is unknown.
  public init?(_ description: String) {
    guard let chain = try? MergeChain(parsing: description) else { return nil }
    self = chain
  }

  /// The chain that a text names, methods separated by commas or plus signs.
  ///
  /// - Throws: ``MergeError`` naming the method that is unknown, and those that are not.
  public init(parsing text: String) throws(MergeError) {
    let names = text.split(
      omittingEmptySubsequences: false, whereSeparator: { $0 == "," || $0 == "+" })
    var methods: [MergingMethod] = []
    for name in names {
      guard let method = MergingMethod.named(String(name)) else {
        throw MergeError(
          "there is no method \"\(name)\"; there are "
            + MergingMethod.all.map(\.name).joined(separator: ", "))
      }
      methods.append(method)
    }
    self.methods = methods
  }

  /// The methods' names joined by commas, as a user writes it.
  public var description: String { methods.map(\.name).joined(separator: ",") }

  /// The methods' names joined by plus signs, as files and tables have it.
  public var name: String { methods.map(\.name).joined(separator: "+") }

  public var needsData: Bool { methods.contains(where: \.needsData) }

  public static func == (a: MergeChain, b: MergeChain) -> Bool { a.name == b.name }
  public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// Runs chains over the same members, and steps that several begin with once.
public struct MergeRunner {
  private let start: Merge
  private let settings: MergeSettings
  private var done: [String: Outcome] = [:]

  /// What a chain came to.
  public struct Outcome: Sendable {
    public var merge: Merge
    /// What all its steps took, those that other chains share included.
    public var seconds: Double
  }

  /// A runner over some members.
  ///
  /// - Throws: ``MergeError`` if they cannot be merged at all.
  public init(_ members: [Network], settings: MergeSettings) throws(MergeError) {
    start = try Merge(members)
    self.settings = settings
  }

  /// Runs what is not yet done of a chain.
  ///
  /// - Parameters:
  ///   - chain: the methods.
  ///   - context: gives what a method may use, when it is about to run.
  /// - Returns: the merge after the last method.
  /// - Throws: ``MergeError`` if a step cannot be taken.
  public mutating func run(
    _ chain: MergeChain, in context: (MergingMethod) throws -> MergeContext
  ) throws -> Outcome {
    var outcome = Outcome(merge: start, seconds: 0)
    var name = ""
    for method in chain.methods {
      name += (name.isEmpty ? "" : "+") + method.name
      if let known = done[name] {
        outcome = known
        continue
      }
      let context = try context(method)
      let clock = ContinuousClock.now
      try method.merger(settings).apply(to: &outcome.merge, in: context)
      outcome.seconds += (ContinuousClock.now - clock) / .seconds(1)
      done[name] = outcome
    }
    return outcome
  }
}
