import Networks
import Tensors

/// Tries out whether networks compute one function, on random inputs.
///
/// Permuting hidden units must change a network's logits by rounding alone. A spec that forgets an axis destroys a
/// network without a word, so the claim is checked on numbers.
public struct InvarianceCheck: Sendable {
  /// How far logits may move, as a share of the largest: some thousand roundings of a 32-bit float.
  public static let tolerance = 1e-4

  /// How many inputs networks are run on.
  public static let rows = 256

  /// Random permutations [draw][group] that are tried.
  public let draws: [[Permutation]]

  private let graph: Graph
  private let threads: Int

  /// Of the standard normal distribution: rows × inputs.
  private let inputs: [Float]

  /// A check of networks of a graph.
  ///
  /// - Parameters:
  ///   - graph: what all networks are of.
  ///   - draws: how many random permutations are tried.
  ///   - seed: the seed of inputs and permutations.
  ///   - threads: how many threads may compute; results do not depend on it.
  public init(_ graph: Graph, draws: Int = 3, seed: UInt64 = 1, threads: Int = 1) {
    self.graph = graph
    self.threads = threads
    var random = RandomStream(seed: seed, "check inputs")
    inputs = (0..<Self.rows * graph.inputs).map { _ in random.normal() }
    let groups = graph.symmetry.groups
    self.draws = (0..<draws).map { draw in
      groups.map { group in
        var random = RandomStream(seed: seed, "check permutation", draw, group.index)
        return Permutation(random.permutation(of: group.count))
      }
    }
  }

  /// How far apart the logits of two networks are.
  public struct Difference: Equatable, Sendable {
    /// The largest difference of two logits.
    public let absolute: Float

    /// The largest logit of the first network, in magnitude; infinite if a logit of either is no finite number.
    public let largestLogit: Float

    /// The difference as a share of the largest logit; infinite if a logit is no finite number.
    public var relative: Double {
      guard largestLogit.isFinite else { return .infinity }
      return absolute == 0 ? 0 : Double(absolute) / Double(largestLogit)
    }

    /// Whether the networks compute one function, to rounding.
    public var isNegligible: Bool { relative < InvarianceCheck.tolerance }
  }

  /// Compares two networks.
  public func difference(of network: Network, from other: Network) -> Difference {
    difference(logits(of: network), logits(of: other))
  }

  /// Compares a network with itself, permuted; the worst of some permutations [draw][group].
  public func differenceWhenPermuted(_ network: Network, by draws: [[Permutation]]) -> Difference {
    let own = logits(of: network)
    return draws.map { difference(own, logits(of: network.permuted(by: $0))) }
      .reduce(Difference(absolute: 0, largestLogit: 0)) { $1.relative >= $0.relative ? $1 : $0 }
  }

  private func difference(_ a: [Float], _ b: [Float]) -> Difference {
    guard a.allSatisfy(\.isFinite), b.allSatisfy(\.isFinite) else {
      return Difference(absolute: .infinity, largestLogit: .infinity)
    }
    return Difference(
      absolute: zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) },
      largestLogit: a.reduce(0) { max($0, abs($1)) })
  }

  private func logits(of network: Network) -> [Float] {
    network.outputs(inputs, rows: Self.rows, threads: threads)
  }
}
