import Networks

/// What becomes of momentum when parameters are replaced.
public enum ExchangeMomentum: String, CaseIterable, Sendable {
  /// Each keeps its own.
  case keep
  /// All begin anew.
  case reset
  /// All go on with the mean; twice the bytes.
  case mean
}

extension ExchangeMethod {
  /// Federated averaging.
  public static let fedAvg = averaging(
    "fedavg", "every member goes on from the mean of all (federated averaging, local SGD)",
    every: .epochs(1), start: .shared, weighting: .samples, momentum: .reset)

  /// PAPA-all: members that began apart are all replaced by their mean, now and then.
  public static let papaAll = averaging(
    "papa-all", "as fedavg, from separate starts and every 5 epochs (PAPA-all)",
    every: .epochs(5), start: .separate, weighting: .equal, momentum: .keep)

  private static func averaging(
    _ name: String, _ summary: String, every: ExchangePeriod, start: ExchangeStart,
    weighting: MemberWeighting, momentum: ExchangeMomentum
  ) -> ExchangeMethod {
    let every = ExchangePeriod.setting("every", every)
    let start = Setting("start", start, "whether members begin from the same weights")
    let weighting = Setting("weights", weighting, "whether members count by their samples")
    let momentum = Setting("momentum", momentum, "what becomes of SGD's momentum")
    return ExchangeMethod(
      name: name, summary: summary,
      settings: [
        every.declaration, start.declaration, weighting.declaration, momentum.declaration,
      ],
      make: { FedAvg(weighting: $0[weighting], momentum: $0[momentum]) },
      period: { $0[every] }, start: { $0[start] })
  }
}

/// Replaces every member by the mean of all: FedAvg (McMahan, Moore, Ramage, Hampson & Agüera y Arcas 2017), local SGD (Stich
/// 2019), PAPA-all (Jolicoeur-Martineau, Gervais, Fatras, Zhang & Lacoste-Julien 2024).
///
/// After the last exchange all members are one network, running statistics included. An exchange carries each member's parameters and buffers
/// once to the first worker, and their mean to all.
struct FedAvg: Exchange {
  let weighting: MemberWeighting
  let momentum: ExchangeMomentum

  func exchange(
    _ members: inout Population, at moment: ExchangeMoment, with team: any Team
  ) throws {
    let weights = members.weights(weighting)
    let length = members.graph.parameterCount
    let mean = try members.meanNetwork(weights: weights, with: team)
    let velocity =
      momentum == .mean
      ? try members.mean(weights: weights, length: length, with: team) { $0.velocity } : []
    for member in members.held {
      members[member].network = mean
      switch momentum {
      case .keep: break
      case .reset: members[member].velocity = Array(repeating: 0, count: length)
      case .mean: members[member].velocity = velocity
      }
    }
  }
}
