import Foundation
import Networks
import Tensors

extension ExchangeMethod {
  /// Shuffled coordinates.
  public static let wash: ExchangeMethod = {
    let every = ExchangePeriod.setting("every", .steps(1))
    let share = Setting<Float?>(
      "share", nil, "above 0, at most 1",
      "the share of the first layer's parameters that are shuffled at an exchange; deeper layers have less"
        + " (by default such that all exchanges together make the shuffles)"
    ) { $0 > 0 && $0 <= 1 }
    let shuffles = Setting<Float>(
      "shuffles", 100, "above 0",
      "how often a parameter of the first layer is shuffled in all, unless a share is given"
    ) { $0 > 0 }
    let momentum = Setting(
      "momentum", WASH.Momentum.keep, "whether momentum moves with the parameters")
    return ExchangeMethod(
      name: "wash",
      summary: "members swap a few parameters after every step, drawn alike by all (WASH)",
      settings: [
        every.declaration, share.declaration, shuffles.declaration, momentum.declaration,
      ],
      make: { WASH(share: $0[share], shuffles: $0[shuffles], momentum: $0[momentum]) },
      period: { $0[every] },
      // Swapped parameters must mean the same in every member.
      start: { _ in .shared }, leavesMean: false)
  }()
}

/// Shuffles a few parameters among the members (Fournier, Nabli, Aminbeidokhti, Pedersoli, Belilovsky & Oyallon 2024).
///
/// Each parameter of layer l of L is chosen with probability p (1 − l/L), and its M values are dealt out among the members
/// anew. All workers draw choices and permutations from one key, so only values travel. The mean of the members does not change, and their
/// distance from it stays small enough for the mean to be a good network.
///
/// Unless it is given, p = min(1, shuffles/K) with K exchanges in the run. The paper's 0.001 at each step of a run of 300 epochs on
/// CIFAR-10 shuffles a parameter some 117 times, and a run of twenty epochs does so only if each step has more.
struct WASH: Exchange {
  /// What becomes of SGD's momentum.
  enum Momentum: String, CaseIterable, Sendable {
    case keep
    /// Moves with the parameters; twice the bytes.
    case shuffle
  }

  let share: Float?
  let shuffles: Float
  let momentum: Momentum

  func exchange(
    _ members: inout Population, at moment: ExchangeMoment, with team: any Team
  ) throws {
    var random = RandomStream(seed: moment.seed, "wash", moment.number)
    let share = share ?? min(1, shuffles / Float(moment.count))
    let chosen = chosenPlaces(members.graph, share: share, &random)
    let blocks: [WritableKeyPath<GradientDescent, [Float]> & Sendable] =
      momentum == .keep ? [\.network.parameters] : [\.network.parameters, \.velocity]
    let values = try team.map(members.count, phase: "exchange") { [members] member in
      blocks.flatMap { block in
        let own = members[member][keyPath: block]
        return chosen.map { own[$0] }
      }
    }
    let orders = chosen.map { _ in random.permutation(of: members.count) }
    for member in members.held {
      for (number, block) in blocks.enumerated() {
        var own = members[member][keyPath: block]
        for (place, parameter) in chosen.enumerated() {
          own[parameter] = values[orders[place][member]][number * chosen.count + place]
        }
        members[member][keyPath: block] = own
      }
    }
  }

  /// The parameters that are shuffled, ascending.
  private func chosenPlaces(
    _ graph: Graph, share: Float, _ random: inout RandomStream
  ) -> [Int] {
    let layers = graph.nodes.indices.filter { !graph.tensors(of: $0).isEmpty }
    var chosen: [Int] = []
    for (depth, node) in layers.enumerated() {
      let probability = Double(share) * (1 - Double(depth) / Double(layers.count))
      for tensor in graph.tensors(of: node) {
        // From one chosen place to the next the distance is geometric.
        var place = tensor.range.lowerBound - 1
        while true {
          let uniform = 1 - Double(random.next() >> 11) * 0x1p-53
          let gap = probability < 1 ? (log(uniform) / log1p(-probability)).rounded(.down) : 0
          guard gap < Double(tensor.range.upperBound - place - 1) else { break }
          place += 1 + Int(gap)
          chosen.append(place)
        }
      }
    }
    return chosen.sorted()
  }
}
