import Networks
import Tensors

/// Fits the last layer of a network to the labels by multinomial logistic regression, from sums over samples alone.
///
/// With h what the layer reads, of N samples as augmentation shows them, it minimises
///
///     1/N Σ −log softmax(W h + b)_y + λ/2 ‖W‖²
///
/// by L-BFGS from zero, in as many sums of gradients as are asked for; each is as large as the head. The
/// first step is Newton's: at zero the Hessian is (1/C) HᵀH/N + λ D of C classes, and it stays the preconditioner of all others,
/// so that few are enough. λ is chosen on each eighth sample, left out of fits of several λ at once; the best fit goes
/// on with all of them.
///
/// Where ridge regression (``LabelHead``) spends its weights on samples that are far on the right side, this looks at those near
/// the border between classes.
struct LogisticHead {
  /// λ for each sample; nil to choose it.
  let ridge: Float?

  /// λ N of what is tried: a weight's variance is the inverse, whatever the number of samples.
  private static let penalties: [Double] = [1, 4, 16, 64, 256]
  /// Sums of gradients in choosing λ and in going on, each.
  private static let rounds = 8
  /// One sample of so many is left out for the choice.
  private static let judged = 8

  /// Fits the head of the state's network.
  func apply(
    to state: inout MergeState, with resources: MergeResources, for method: String
  ) throws {
    let sums = try resources.sums(for: method)
    var network = state.network
    let node = network.graph.nodes.count - 1
    let features = LayerInputs(of: network, node)
    let classes = network.graph.outputs
    let equations = try sums.labelEquations(features, classes: classes, for: method)
    let ridges = ridge.map { [Double($0)] } ?? Self.penalties.map { $0 / equations.sampleCount }
    // The first worker alone decides where to go on.
    var searches: [HeadSearch?] =
      sums.team.rank == 0
      ? concurrentMap(ridges.count, threads: resources.threads) {
        HeadSearch(equations, ridge: ridges[$0])
      } : []
    let shape = HeadShape(features: features.count, classes: classes)
    var heads = [Float](repeating: 0, count: ridges.count * shape.count)
    let rows = HeadRows(features)
    let rounds = (ridge == nil ? 2 : 1) * Self.rounds
    for round in 0..<rounds {
      resources.onStep(round, rounds)
      let judged = round < rounds - Self.rounds ? Self.judged : nil
      let current = heads
      heads = try sums.reduce(of: heads.count / shape.count * shape.evaluationCount) {
        part, number in
        shape.evaluate(current, on: part, number: number, rows, leavingOut: judged)
      } _: { parts in
        let sum = added(parts)
        for place in searches.indices {
          let own = place * shape.evaluationCount..<(place + 1) * shape.evaluationCount
          searches[place]?.advance(by: HeadEvaluation(sum[own]))
        }
        searches.removeAll { $0 == nil }
        if round == rounds - 1 { return searches.compactMap { $0?.head }.flatMap(\.self) }
        if round == rounds - Self.rounds - 1 {
          searches = Array(
            searches.compactMap(\.self).sorted { $0.judgedLoss < $1.judgedLoss }.prefix(1))
          for place in searches.indices { searches[place]?.startAgain() }
        }
        return searches.compactMap { $0?.proposal }.flatMap(\.self)
      }
    }
    resources.onStep(rounds, rounds)
    guard heads.count == shape.count, heads.allSatisfy(\.isFinite) else {
      throw MergeError(
        "\(method): the logistic regression of \(network.graph.nodes[node].name) has no solution"
          + (ridge.map { " at ridge=\($0): try a larger one" } ?? ""),
        isAboutWeights: !equations.sums.allSatisfy(\.isFinite))
    }
    network.setLayer(node, shape.layer(of: heads))
    state.replaceNetwork(by: network)
  }
}
