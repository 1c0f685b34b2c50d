import Networks
import Tensors

extension MergeMethod {
  public static let weightMatching = MergeMethod(
    "weight-matching", "the mean after matching each member's units to member 0's by their weights",
    isShared: true, worksOnTensors: true
  ) { _ in WeightMatching() }
}

/// Git Re-Basin's weight matching of every member to the first (Ainsworth, Hayase & Srinivasa 2023, algorithm 1).
///
/// Starts from how the members are lined up already; for exported networks, which have many groups, heads and channel groups,
/// from there and from the input (``WeightMatcher/propagated(_:to:)``). The members are shared out among the team.
public struct WeightMatching: MergeStep {
  /// The method.
  public init() {}

  public func apply(to state: inout MergeState, with resources: MergeResources) throws {
    let matcher = WeightMatcher(state.graph)
    let identity = state.graph.symmetry.identity.flatMap(\.indices)
    let members = state.comparableMembers
    let seed = resources.seed
    let propagates = !state.graph.canRun
    let found = try resources.team.map(members.count, phase: "share assignments") { member in
      guard member > 0 else { return identity }
      var random = RandomStream(seed: seed, "weight matching", member)
      return try matcher.match(
        members[member], to: members[0], random: &random, propagates: propagates
      )
      .flatMap(\.indices)
    }
    state.align(by: state.alignment(flat: Array(found.joined())).after(state.alignment))
  }
}

extension MergeState {
  /// The members as they are lined up, all scaled by one power of two where their products might leave the range of floats.
  ///
  /// Matching compares products of weights, and which are largest does not depend on a common factor.
  var comparableMembers: [Network] {
    let aligned = alignedMembers
    let largest = members.reduce(Float(0)) { largest, member in
      member.parameters.reduce(largest) { max($0, abs($1)) }
    }
    guard largest > 0, !(-40...40).contains(largest.exponent) else { return aligned }
    // In two steps, since the factor itself may be out of range.
    let half = Float(sign: .plus, exponent: Int(-largest.exponent) / 2, significand: 1)
    return aligned.map { member in
      var scaled = member
      for _ in 0..<2 { scale(scaled.parameters, by: half, into: &scaled.parameters) }
      return scaled
    }
  }

  /// The alignment of these members whose ``Alignment/flat`` an array is.
  func alignment(flat: [Int]) -> Alignment {
    Alignment(flat: flat, members: members.count, graph.symmetry)
  }
}
