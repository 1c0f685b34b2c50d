import Networks
import Tensors

extension MergeMethod {
  public static let repair = MergeMethod(
    "repair", "gives the merged network's hidden units the members' mean activity and spread",
    needs: .trainingData, isShared: true, folds: true
  ) { _ in Repair(.meansAndDeviations) }

  public static let rescale = MergeMethod(
    "rescale", "as repair, but the spread alone", needs: .trainingData, isShared: true,
    folds: true
  ) { _ in Repair(.deviations) }
}

/// REPAIR: gives the hidden units of a merged network the statistics that the members' units have (Jordan, Sedghi,
/// Saukh, Entezari & Neyshabur 2023).
///
/// Averaged units vary less than the units they are averages of, the more so the deeper they lie. With μ, σ a unit's mean and
/// standard deviation before the ReLU in the merged network, and μ*, σ* the means of both over the members as they are
/// lined up,
///
///     z ← γ (z − μ) + μ*,   γ = σ* / √(σ² + ε),
///
/// which is put into the unit's weights and bias. Node by node from the input, each measured with those before it corrected
/// already; the output stays. RESCALE (Qu & Horváth 2024) keeps the mean: μ in place of μ*, which stands firmer in deep
/// networks; with one hidden layer under an average of weights it is the same.
public struct Repair: MergeStep {
  /// What of the members' statistics is restored.
  public enum Target: Sendable {
    case meansAndDeviations
    case deviations
  }

  public let target: Target

  /// The method.
  public init(_ target: Target) { self.target = target }

  /// Far below the variances of living units, about 1, which batch normalisation's usual 10⁻⁵ would shift.
  static let epsilon = 1e-10

  public func apply(to state: inout MergeState, with resources: MergeResources) throws {
    let name = target == .deviations ? "rescale" : "repair"
    let sums = try resources.sums(for: name, of: state.graph)
    let members = state.alignedMembers
    let nodes = state.graph.correctableNodes
    var network = try state.network(for: name)
    // The members' moments, and the network's where nothing is corrected yet, of one pass.
    let before = try sums.moments(of: [network] + members, at: nodes)
    for (place, node) in nodes.enumerated() {
      let own = place == 0 ? before[0][0] : try sums.moments(of: [network], at: node)[0]
      correct(
        &network, node, from: own,
        to: UnitMoments.average(before.dropFirst().map { $0[place] }))
      guard network.isFinite else {
        throw MergeError(
          "\(name): the units of \(network.graph.nodes[node].name) have infinite activations in the"
            + " merged network or in a member; their weights are huge", isAboutWeights: true)
      }
      resources.onStep(place + 1, nodes.count)
    }
    state.replaceNetwork(by: network)
  }

  private func correct(
    _ network: inout Network, _ node: Int, from own: UnitMoments, to goal: UnitMoments
  ) {
    guard let weight = network.graph.weight(of: node), let bias = network.graph.bias(of: node)
    else { return }
    for unit in own.means.indices {
      let (deviation, wanted) = (own.deviations[unit], goal.deviations[unit])
      let isDead = min(deviation, wanted) < UnitMoments.deadDeviation
      let scale = isDead ? 1 : wanted / (deviation * deviation + Self.epsilon).squareRoot()
      let mean = target == .deviations ? own.means[unit] : goal.means[unit]
      let start = weight.range.lowerBound + unit * weight.columns
      for place in start..<start + weight.columns { network.parameters[place] *= Float(scale) }
      let place = bias.range.lowerBound + unit
      network.parameters[place] = Float(
        mean + scale * (Double(network.parameters[place]) - own.means[unit]))
    }
  }
}
