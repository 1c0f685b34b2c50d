import Networks
import Tensors

extension ExchangeMethod {
  /// An outer optimiser.
  public static let diLoCo: ExchangeMethod = {
    let every = ExchangePeriod.setting("every", .epochs(1))
    let rate = Setting.rate("outer-rate", 0.7, "the outer optimiser's rate")
    let momentum = Setting<Float>(
      "outer-momentum", 0.9, "from 0 to below 1", "the outer optimiser's momentum"
    ) { (0..<1).contains($0) }
    let weighting = Setting(
      "weights", MemberWeighting.samples, "whether members count by their samples")
    return ExchangeMethod(
      name: "diloco",
      summary: "as fedavg, but an outer Nesterov momentum takes the step to the mean (DiLoCo)",
      settings: [
        every.declaration, rate.declaration, momentum.declaration, weighting.declaration,
      ],
      make: { DiLoCo(rate: $0[rate], momentum: $0[momentum], weighting: $0[weighting]) },
      period: { $0[every] }, start: { _ in .shared })
  }()
}

/// Takes what members have moved, in the mean, as a gradient for an outer step with Nesterov momentum (Douillard and others
/// 2023).
///
///     Δ = θ − mean_m w_m,   v ← μ v + Δ,   θ ← θ − η (Δ + μ v),   w_m ← θ
///
/// With η = 1 and μ = 0 it is FedAvg.
struct DiLoCo: Exchange {
  let rate: Float
  let momentum: Float
  let weighting: MemberWeighting

  /// θ and v, alike on every worker; empty before the first exchange.
  private var outer: [Float] = []
  private var velocity: [Float] = []

  init(rate: Float, momentum: Float, weighting: MemberWeighting) {
    self.rate = rate
    self.momentum = momentum
    self.weighting = weighting
  }

  mutating func begin(from start: [Float]) {
    outer = start
    velocity = Array(repeating: 0, count: start.count)
  }

  mutating func exchange(
    _ members: inout Population, at moment: ExchangeMoment, with team: any Team
  ) throws {
    let network = try members.meanNetwork(weights: members.weights(weighting), with: team)
    let mean = network.parameters
    precondition(outer.count == mean.count, "an exchange before the start is known")
    for i in mean.indices {
      let change = outer[i] - mean[i]
      velocity[i] = momentum * velocity[i] + change
      outer[i] -= rate * (change + momentum * velocity[i])
    }
    // What is kept and not learned has no outer momentum.
    for member in members.held {
      members[member].network.parameters = outer
      members[member].network.buffers = network.buffers
    }
  }
}
