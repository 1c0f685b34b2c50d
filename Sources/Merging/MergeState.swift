import Networks
import Tensors

/// How far a merge is: the members, how their hidden units are lined up, and the one network so far.
///
/// Starts as the naive average. Steps that match units line the members up (``align(by:)``), those that learn
/// mix units (``mix(by:into:average:)``), and those that correct replace the network (``replaceNetwork(by:)``).
public struct MergeState: Sendable {
  /// Networks of one graph, by member number.
  public private(set) var members: [Network]

  /// What the members are called in errors.
  public let names: [String]

  /// The permutations that line each member's groups of units up with the others'.
  public private(set) var alignment: Alignment

  /// The doubly stochastic matrices [member][group] that ``network`` was mixed by, if it was.
  public private(set) var softPermutations: [[Matrix]]?

  /// The merged network.
  public private(set) var network: Network

  /// The mean of the members lined up by ``alignment``, where ``network`` is mixed by soft matrices.
  public private(set) var hardNetwork: Network?

  /// Whether a step has lined the members up.
  public private(set) var isAligned = false

  /// What the steps that learn went through, in their order.
  public private(set) var curves: [Curve] = []

  /// Which step of its chain is being taken, from 0; the runner says.
  var step = 0

  /// The epochs of one step that learned.
  public struct Curve: Equatable, Sendable {
    /// Which step of the chain, from 0.
    public let step: Int
    public let epochs: [EpochRecord]
  }

  /// The naive average.
  ///
  /// - Parameters:
  ///   - members: at least one.
  ///   - names: what they are called in errors; by number if none are given.
  /// - Throws: ``MergeError`` if there are no members, their graphs differ, or one holds a
  ///   parameter that is no finite number.
  public init(_ members: [Network], names: [String]? = nil) throws(MergeError) {
    let names = names ?? members.indices.map { "member \($0)" }
    guard let first = members.first?.graph else { throw MergeError("no members to merge") }
    for (member, name) in zip(members, names) {
      guard member.graph == first else {
        throw MergeError(
          "\(name) has the architecture \(member.graph), \(names[0]) has \(first);"
            + " only members of one architecture can be merged")
      }
      if let bad = member.parameters.firstIndex(where: { !$0.isFinite }),
        let tensor = first.tensors.first(where: { $0.range.contains(bad) })
      {
        throw MergeError(
          "\(name) holds \(member.parameters[bad]) in \(tensor.name); leave it out or train"
            + " it anew")
      }
    }
    self.members = members
    self.names = names
    alignment = .identity(members: members.count, first.symmetry)
    network = Self.mean(of: members)
  }

  /// The members' graph, which that of ``network`` may differ from in width.
  public var graph: Graph { members[0].graph }

  /// The merged network, for a step that compares its units with the members'.
  ///
  /// - Parameter method: the step, for the error.
  /// - Returns: a network of ``graph``.
  /// - Throws: ``MergeError`` if a step before gave it other widths.
  func network(for method: String) throws(MergeError) -> Network {
    guard network.graph == graph else {
      throw MergeError(
        "\(method) compares the merged network's units with the members', and what comes before has made"
          + " it \(network.graph), where members are \(graph)")
    }
    return network
  }

  /// The members lined up by ``alignment``; each computes what it did before.
  public var alignedMembers: [Network] {
    zip(members, alignment.permutations).map { $0.permuted(by: $1) }
  }

  /// The naive average again.
  public mutating func reset() {
    align(by: .identity(members: members.count, graph.symmetry))
    isAligned = false
  }

  /// Lines the members up anew and averages them.
  public mutating func align(by alignment: Alignment) {
    precondition(alignment.permutations.count == members.count)
    self.alignment = alignment
    isAligned = true
    softPermutations = nil
    hardNetwork = nil
    network = Self.mean(of: alignedMembers)
  }

  /// Takes a network that matrices of the members' units were learned for.
  ///
  /// - Parameters:
  ///   - matrices: doubly stochastic [member][group], of the members as they were given.
  ///   - network: the members' mean after them, and after what else was learned.
  ///   - average: the mean of members that are permuted exactly, with what else was learned.
  public mutating func mix(
    by matrices: [[Matrix]], into network: Network,
    average: ([Network]) throws -> Network
  ) rethrows {
    align(by: Alignment(matrices.map { $0.map(maximumAssignment) }))
    hardNetwork = try average(alignedMembers)
    softPermutations = matrices
    self.network = network
  }

  /// Keeps the network of the permutations nearest to soft ones alone.
  public mutating func harden() {
    guard let hardNetwork else { return }
    softPermutations = nil
    replaceNetwork(by: hardNetwork)
  }

  /// Takes a better network for the members as they are lined up; its groups may have other numbers of units.
  public mutating func replaceNetwork(by network: Network) {
    precondition(
      network.graph.inputs == graph.inputs && network.graph.outputs == graph.outputs)
    self.network = network
    hardNetwork = nil
  }

  /// Notes the epochs of the step that is being taken.
  public mutating func note(_ epochs: [EpochRecord]) {
    guard !epochs.isEmpty else { return }
    curves.append(Curve(step: step, epochs: epochs))
  }

  /// The networks to keep: the merged one, and where that is mixed by soft matrices the one of the
  /// permutations nearest to them.
  public var variants: [MergedVariant] {
    [MergedVariant(network: network)]
      + (hardNetwork.map { [MergedVariant(suffix: "hard", network: $0)] } ?? [])
  }

  private static func mean(of networks: [Network]) -> Network {
    Network(
      networks[0].graph, parameters: Tensors.mean(of: networks.map(\.parameters)),
      buffers: Tensors.mean(of: networks.map(\.buffers)))
  }
}

extension MergeState {
  /// What another worker needs to take the next step: the alignment, the network's graph if it is another, and its numbers.
  struct Shared {
    let indices: [Int]
    let numbers: [Float]
  }

  var shared: Shared {
    Shared(
      indices: [isAligned ? 1 : 0] + alignment.flat
        + (network.graph == graph ? [] : network.graph.source.utf8.map(Int.init)),
      numbers: network.parameters + network.buffers)
  }

  /// The mean of the members as they are lined up.
  var meanOfMembers: Network { Self.mean(of: alignedMembers) }

  /// Lines members up that no step has touched yet, as another merge has them.
  mutating func line(up alignment: Alignment, isAligned: Bool) {
    align(by: alignment)
    self.isAligned = isAligned
  }

  /// Takes the members in place of others of their graph; the merged network stays, but the naive average is theirs.
  mutating func adopt(members: [Network]) {
    precondition(members.count == self.members.count && members[0].graph == graph)
    let isNaive = network == meanOfMembers
    self.members = members
    if isNaive { network = meanOfMembers }
  }

  /// Takes over how far another worker is.
  mutating func adopt(_ shared: Shared) throws {
    let unitCount = alignment.flat.count
    isAligned = shared.indices[0] == 1
    alignment = Alignment(
      flat: Array(shared.indices[1..<1 + unitCount]), members: members.count, graph.symmetry)
    softPermutations = nil
    hardNetwork = nil
    let text = shared.indices[(1 + unitCount)...].map { UInt8($0) }
    let own = text.isEmpty ? graph : try Graph(source: String(decoding: text, as: UTF8.self))
    let border = own.parameterCount
    network = Network(
      own, parameters: Array(shared.numbers[..<border]), buffers: Array(shared.numbers[border...]))
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
