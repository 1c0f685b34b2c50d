import Networks

/// A step that sees members with batch normalisation as what they compute: each normalisation folded into the layer before it.
///
/// The mean of members' running statistics is nobody's, and a mean of weights under gains says little. So a step that compares,
/// corrects or fits what units put out is given ``FoldedGraph`` networks, whose layers are all there is; what it makes of them gets
/// normalisations again that compute the same, with the statistics of the data. Members without any are left as they are.
struct FoldedStep: MergeStep {
  let step: any MergeStep

  init(_ step: any MergeStep) { self.step = step }

  func apply(to state: inout MergeState, with resources: MergeResources) throws {
    let folding: FoldedGraph?
    do {
      folding = try FoldedGraph(state.graph)
    } catch {
      throw MergeError(error.description)
    }
    guard let folding else { return try step.apply(to: &state, with: resources) }
    var folded = try state.folded(by: folding)
    try step.apply(to: &folded, with: resources)
    let network = try folded.changedNetwork.map { try folding.unfolded($0, with: resources) }
    let hard = try folded.hardNetwork.map { try folding.unfolded($0, with: resources) }
    state.adopt(folded, network: network, hard: hard)
  }
}

extension FoldedGraph {
  /// A folded network with normalisations again, which have the statistics of training data if there is any.
  fileprivate func unfolded(_ network: Network, with resources: MergeResources) throws -> Network {
    guard resources.sums != nil else { return try unfolded(network) }
    // Where groups have other numbers of units the nodes are the same.
    let moments = try resources.sums(for: "batch normalisation", of: network.graph)
      .moments(of: [network], at: foldedNodes)[0]
    return try unfolded(
      network,
      moments: moments.map { ($0.means, $0.deviations.map { $0 * $0 }) })
  }
}

extension MergeState {
  /// The same merge of the members folded: a network that is yet the members' mean is the mean of what they were folded to.
  fileprivate func folded(by folding: FoldedGraph) throws -> MergeState {
    var result = try MergeState(members.map(folding.folded), names: names)
    result.step = step
    result.line(up: alignment, isAligned: isAligned)
    if network != meanOfMembers {
      guard network.graph == graph else {
        throw MergeError(
          "what comes before has made the merged network \(network.graph), where members are \(graph);"
            + " only refit-head, refit-head-labels and fine-tune can follow")
      }
      result.replaceNetwork(by: folding.folded(network))
    }
    return result
  }

  /// The network, if it is no longer the mean of the members as they are lined up.
  fileprivate var changedNetwork: Network? { network == meanOfMembers ? nil : network }

  /// Takes over what a step did with folded members.
  fileprivate mutating func adopt(_ folded: MergeState, network: Network?, hard: Network?) {
    for curve in folded.curves { note(curve.epochs) }
    if let soft = folded.softPermutations, let network, let hard {
      return mix(by: soft, into: network) { _ in hard }
    }
    if folded.alignment != alignment || (folded.isAligned && !isAligned) {
      align(by: folded.alignment)
    }
    if let network { replaceNetwork(by: network) }
  }
}
