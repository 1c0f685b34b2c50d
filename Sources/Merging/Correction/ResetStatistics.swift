import Networks

extension MergeMethod {
  public static let reset = MergeMethod(
    "reset", "recomputes the merged network's batch normalisation on training data",
    needs: .trainingData, isShared: true, othersNeed: { _, _ in .network },
    obstacle: { graph in
      graph.nodes.contains { $0.layer is BatchNorm }
        ? nil : "the networks have no batch normalisation, whose statistics it recomputes"
    }
  ) { _ in ResetStatistics() }
}

/// Gives the batch normalisations of a merged network the means and variances of what they get from training data (RESET; Jordan,
/// Sedghi, Saukh, Entezari & Neyshabur 2023).
///
/// The mean of the members' running statistics is not the merged network's: averaged units vary less. Node by node from the input, each
/// measured with those before it set already, from sums over ``MergeResources/mostImages`` images; exact, where passes in training
/// mode would normalise each worker's samples by themselves. With gains and shifts that are the members' means, this is what REPAIR comes
/// to for units that are normalised.
public struct ResetStatistics: MergeStep {
  /// The method.
  public init() {}

  public func apply(to state: inout MergeState, with resources: MergeResources) throws {
    var network = state.network
    let graph = network.graph
    let nodes = graph.nodes.indices.filter { graph.nodes[$0].layer is BatchNorm }
    let sums = try resources.sums(for: "reset", of: graph)
    for (place, node) in nodes.enumerated() {
      let statistics = graph.buffers.filter { $0.node == node }
      // What the normalisation gets: the value of the node before it, or the samples.
      guard case .some(let source) = graph.inputs(of: node)[0] else {
        throw MergeError(
          "reset: \(graph.nodes[node].name) normalises the samples themselves, whose statistics are no"
            + " matter of merging")
      }
      let statistic = SampleStatistic(.moments, at: source, of: [network])
      let moments = UnitMoments(
        statistic.sites[0], try sums.sum(statistic), network: 0, sampleCount: sums.sampleCount)
      guard (moments.means + moments.deviations).allSatisfy({ Float($0 * $0).isFinite }) else {
        throw MergeError(
          "reset: the units of \(graph.nodes[source].name) have infinite activations in the merged"
            + " network; its weights are huge", isAboutWeights: true)
      }
      let count = Double(sums.sampleCount * statistic.sites[0].pixels)
      for unit in moments.means.indices {
        network.buffers[statistics[0].range.lowerBound + unit] = Float(moments.means[unit])
        // As running statistics have it: divided by one less than the count.
        network.buffers[statistics[1].range.lowerBound + unit] = Float(
          moments.deviations[unit] * moments.deviations[unit] * count / max(count - 1, 1))
      }
      resources.onStep(place + 1, nodes.count)
    }
    state.replaceNetwork(by: network)
  }
}
