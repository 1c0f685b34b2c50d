import Foundation
import Tensors

/// Which weighted means of the members are looked at, the same for every alignment.
struct BarrierPlan {
  /// Two members, and λ in steps between them.
  struct Pair: Equatable {
    let from: Int
    let to: Int
    let steps: Int
  }

  let members: Int
  let pairs: [Pair]

  /// Weights of all members, uniform over those that sum to one.
  let draws: [[Double]]

  /// A plan for some members.
  ///
  /// - Parameters:
  ///   - members: at least two.
  ///   - seed: of the choice of pairs, where there are too many, and of the draws.
  ///   - steps: between the first pair, which is drawn as a curve, and between the others, which only have to find the top of the hill.
  init(members: Int, seed: UInt64, steps: (first: Int, others: Int) = (24, 10)) {
    self.members = members
    var pairs = (0..<members).flatMap { from in (from + 1..<members).map { (from, $0) } }
    let most = 6
    if pairs.count > most {
      var random = RandomStream(seed: seed, "barrier pairs")
      let others = random.permutation(of: pairs.count - 1).prefix(most - 1).sorted()
      pairs = [pairs[0]] + others.map { pairs[$0 + 1] }
    }
    self.pairs = pairs.enumerated().map { place, pair in
      Pair(from: pair.0, to: pair.1, steps: place == 0 ? steps.first : steps.others)
    }
    draws = (0..<8).map { draw in
      var random = RandomStream(seed: seed, "barrier simplex", draw)
      let exponential = (0..<members).map { _ in -log(1 - Double(random.uniform())) }
      let sum = exponential.reduce(0, +)
      return exponential.map { $0 / sum }
    }
  }

  /// The weights of every mean but the members themselves: the pairs' inner points, the draws, the barycentre.
  var weights: [[Double]] {
    pairs.flatMap { pair in
      (1..<pair.steps).map { step in
        let lambda = Double(step) / Double(pair.steps)
        var weights = [Double](repeating: 0, count: members)
        (weights[pair.from], weights[pair.to]) = (1 - lambda, lambda)
        return weights
      }
    } + draws + [Array(repeating: 1 / Double(members), count: members)]
  }

  /// Reads what the means came to.
  ///
  /// - Parameters:
  ///   - alignment: whose means they are.
  ///   - ends: what each member comes to.
  ///   - means: what each of ``weights`` comes to.
  /// - Returns: the line between the first pair, and the barriers.
  func read(
    _ alignment: String?, ends: [Results.Values], means: [Results.Values]
  ) -> (line: Results.Line, barrier: Results.Barrier) {
    precondition(ends.count == members && means.count == weights.count)
    var rest = means[...]
    let lines = pairs.map { pair in
      let inner = rest.prefix(pair.steps - 1)
      rest = rest.dropFirst(pair.steps - 1)
      return [ends[pair.from]] + inner + [ends[pair.to]]
    }
    let barriers = zip(pairs, lines).map { pair, points in
      let excess = points.enumerated().map { step, value in
        let lambda = Double(step) / Double(pair.steps)
        return value.excess(over: (1 - lambda) * ends[pair.from] + lambda * ends[pair.to])
      }
      return Results.Barrier.Pair(
        from: pair.from, to: pair.to, points: points.count,
        // At the ends the excess is zero, and rounding may not say otherwise.
        barrier: excess.dropFirst().dropLast().reduce(.zero, Results.Values.largest))
    }
    func place(_ weights: [[Double]], _ values: ArraySlice<Results.Values>) -> Results.Barrier.Place
    {
      let excess = zip(weights, values).map { weights, value in
        value.excess(over: zip(weights, ends).reduce(.zero) { $0 + $1.0 * $1.1 })
      }
      return Results.Barrier.Place(
        networks: values.count, value: .mean(Array(values)), excess: .mean(excess))
    }
    let barrier = Results.Barrier(
      alignment: alignment, pairs: barriers, mean: .mean(barriers.map(\.barrier)),
      largest: barriers.map(\.barrier).reduce(.zero, Results.Values.largest),
      simplex: place(draws, rest.dropLast()),
      barycentre: place(weights.suffix(1), rest.suffix(1)))
    let points = lines[0].enumerated().map { step, value in
      Results.Line.Point(
        lambda: Double(step) / Double(pairs[0].steps), training: value.training, test: value.test)
    }
    return (
      Results.Line(from: pairs[0].from, to: pairs[0].to, alignment: alignment, points: points),
      barrier
    )
  }
}
