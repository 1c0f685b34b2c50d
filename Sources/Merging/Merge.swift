import Networks

/// A merge under way: the members, how their hidden units are lined up, and the one network so far.
///
/// Starts as the naive average. Methods that match units line the members up (``align(by:)``), those that learn
/// mix units (``mix(by:into:)``), and those that correct replace the network (``replaceNetwork(by:)``).
public struct Merge: Sendable {
  /// Networks of one architecture, by member number.
  public let members: [Network]

  /// The permutations [m][l] that line member m's hidden layer l up with the others'.
  public private(set) var permutations: [[Permutation]]

  /// The doubly stochastic matrices [m][l] that ``network`` was mixed by, if it was.
  public private(set) var softPermutations: [[Matrix]]?

  /// The merged network.
  public private(set) var network: Network

  /// The mean of the members lined up by ``permutations``, where ``network`` is mixed by soft ones.
  public private(set) var hardNetwork: Network?

  /// Whether a step has lined the members up.
  public private(set) var isAligned = false

  /// One epoch of learning each, for steps that learn.
  public var history: [MergeEpoch] = []

  /// The naive average.
  ///
  /// - Throws: ``MergeError`` if there are no members, their architectures differ, or one holds a
  ///   parameter that is no finite number.
  public init(_ members: [Network]) throws(MergeError) {
    guard let first = members.first?.architecture else { throw MergeError("no members to merge") }
    for (number, member) in members.enumerated() {
      guard member.architecture == first else {
        throw MergeError(
          "member \(number) has the architecture \(member.architecture), member 0 has \(first);"
            + " only members of one architecture can be merged")
      }
      if let bad = member.parameters.firstIndex(where: { !$0.isFinite }),
        let tensor = first.tensors.first(where: { $0.range.contains(bad) })
      {
        throw MergeError(
          "member \(number) holds \(member.parameters[bad]) in \(tensor.name); leave it out or train"
            + " it anew")
      }
    }
    self.members = members
    permutations = members.map { _ in first.hiddenWidths.map(Permutation.identity) }
    network = Network(first, parameters: mean(of: members.map(\.parameters)))
  }

  public var architecture: Architecture { network.architecture }

  /// The members lined up by ``permutations``; each computes what it did before.
  public var alignedMembers: [Network] {
    zip(members, permutations).map { $0.permuted(by: $1) }
  }

  /// Lines the members up anew and averages them.
  public mutating func align(by permutations: [[Permutation]]) {
    precondition(permutations.count == members.count)
    self.permutations = permutations
    isAligned = true
    softPermutations = nil
    hardNetwork = nil
    network = Network(architecture, parameters: mean(of: alignedMembers.map(\.parameters)))
  }

  /// Takes a network that matrices of the members' units were learned for.
  ///
  /// - Parameters:
  ///   - matrices: doubly stochastic [m][l], of the members as they were given.
  ///   - network: the members' mean after them, and after what else was learned.
  ///   - average: the mean of members that are permuted exactly, with what else was learned.
  public mutating func mix(
    by matrices: [[Matrix]], into network: Network,
    average: ([Network]) -> Network
  ) {
    align(by: matrices.map { $0.map(maximumAssignment) })
    hardNetwork = average(alignedMembers)
    softPermutations = matrices
    self.network = network
  }

  /// Keeps the network of the permutations nearest to soft ones alone.
  public mutating func harden() {
    guard let hardNetwork else { return }
    softPermutations = nil
    replaceNetwork(by: hardNetwork)
  }

  /// Takes a better network for the members as they are lined up.
  public mutating func replaceNetwork(by network: Network) {
    precondition(network.architecture == architecture)
    self.network = network
    hardNetwork = nil
  }

  /// The networks to keep: the merged one, and where that is mixed by soft matrices the one of the
  /// permutations nearest to them.
  public var variants: [MergedVariant] {
    [MergedVariant(network: network)]
      + (hardNetwork.map { [MergedVariant(suffix: "hard", network: $0)] } ?? [])
  }
}

/// One network that a merge made.
public struct MergedVariant: Sendable {
  /// What sets it apart from the merge's other variants: "" or "hard".
  public let suffix: String
  public let network: Network

  /// A variant.
  public init(suffix: String = "", network: Network) {
    self.suffix = suffix
    self.network = network
  }
}
