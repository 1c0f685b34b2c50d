import Networks
import Tensors

extension ExchangeMethod {
  /// A pull towards the mean.
  public static let papa: ExchangeMethod = {
    let every = ExchangePeriod.setting("every", .steps(10))
    let start = Setting(
      "start", ExchangeStart.separate, "whether members begin from the same weights")
    let pull = Setting<Float>(
      "pull", 100, "above 0",
      "the pull of all exchanges together at the full learning rate; each has its share, and at most all of the way"
    ) { $0 > 0 }
    return ExchangeMethod(
      name: "papa",
      summary: "every member is pulled towards the mean of all, a little and often (PAPA)",
      settings: [every.declaration, start.declaration, pull.declaration],
      make: { PAPA(pull: $0[pull]) }, period: { $0[every] }, start: { $0[start] })
  }()
}

/// Pulls every member towards the mean: w_m ← w_m + p (w̄ − w_m) (Jolicoeur-Martineau, Gervais, Fatras, Zhang & Lacoste-Julien
/// 2024).
///
/// p is as large as the learning rate is: p = min(1, pull/K) η_t/η_0 with K exchanges in the run. The paper's 0.01 every ten
/// steps of a run of 300 epochs on CIFAR-10 makes a pull of 117 in all, and a run of twenty epochs has as much only if each
/// exchange has more.
struct PAPA: Exchange {
  let pull: Float

  func exchange(
    _ members: inout Population, at moment: ExchangeMoment, with team: any Team
  ) throws {
    let mean = try members.mean(
      weights: members.weights(.equal), length: members.graph.parameterCount, with: team
    ) { $0.network.parameters }
    let share = min(1, pull / Float(moment.count)) * moment.rateFactor
    for member in members.held {
      var own = members[member].network.parameters
      for i in own.indices { own[i] += share * (mean[i] - own[i]) }
      members[member].network.parameters = own
    }
  }
}
