import Networks

extension MergingMethod {
  public static let repair = MergingMethod(
    name: "repair",
    summary: "gives the merged network's hidden units the members' mean activity and spread",
    needsData: true
  ) { _ in Repair(.meansAndDeviations) }

  public static let rescale = MergingMethod(
    name: "rescale", summary: "as repair, but the spread alone", needsData: true
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
/// which is put into the unit's weights and bias. Layer by layer from the first, each measured with those below corrected
/// already; the last layer stays. RESCALE (Qu & Horváth 2024) keeps the mean: μ in place of μ*, which stands firmer in deep
/// networks; with one hidden layer under an average of weights it is the same.
public struct Repair: Merger {
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

  public func apply(to merge: inout Merge, in context: MergeContext) throws {
    let name = target == .deviations ? "rescale" : "repair"
    let sums = try context.sums(for: name)
    let members = merge.alignedMembers
    let layers = merge.architecture.layers.dropLast()
    var network = merge.network
    for layer in layers {
      let moments = try sums.preActivationMoments(of: [network] + members, layer: layer.index)
      correct(
        &network, layer, from: moments[0], to: UnitMoments.average(moments.dropFirst()))
      guard network.isFinite else {
        throw MergeError(
          "\(name): the units of layer \(layer.index) have infinite activations in the merged network"
            + " or in a member; their weights are huge")
      }
      context.onStep(layer.index + 1, layers.count)
    }
    merge.replaceNetwork(by: network)
  }

  private func correct(
    _ network: inout Network, _ layer: DenseLayer, from own: UnitMoments, to goal: UnitMoments
  ) {
    for unit in 0..<layer.outputs {
      let (deviation, wanted) = (own.deviations[unit], goal.deviations[unit])
      let isDead = min(deviation, wanted) < UnitMoments.deadDeviation
      let scale = isDead ? 1 : wanted / (deviation * deviation + Self.epsilon).squareRoot()
      let mean = target == .deviations ? own.means[unit] : goal.means[unit]
      let start = layer.weights.lowerBound + unit * layer.inputs
      for place in start..<start + layer.inputs { network.parameters[place] *= Float(scale) }
      let bias = layer.biases.lowerBound + unit
      network.parameters[bias] = Float(
        mean + scale * (Double(network.parameters[bias]) - own.means[unit]))
    }
  }
}
