import Networks
import Tensors

/// What members that train side by side tell each other on the way.
///
/// To add one: a file with a type of this protocol and its ``ExchangeMethod``, and its name in ``ExchangeMethod/all``.
/// Everything that is added up is added in the order of the members, so results depend on no worker.
public protocol Exchange: Sendable {
  /// Called once before training, where all members begin from the same weights.
  mutating func begin(from start: [Float])

  /// Called at each moment of exchange, on every worker alike.
  ///
  /// - Parameters:
  ///   - members: those that this worker trains, as they stand.
  ///   - moment: which exchange it is.
  ///   - team: the workers; member m is with ``Team/worker(of:)`` m.
  /// - Throws: what messages throw.
  mutating func exchange(
    _ members: inout Population, at moment: ExchangeMoment, with team: any Team) throws
}

extension Exchange {
  public mutating func begin(from start: [Float]) {}
}

/// Which exchange of a run it is.
public struct ExchangeMoment: Sendable {
  /// From 1.
  public let number: Int

  /// How many there are.
  public let count: Int

  /// What the schedule makes of the base learning rate now, from 0 to 1.
  public let rateFactor: Float

  /// The experiment's seed, of whatever the exchange draws.
  public let seed: UInt64

  /// A moment.
  public init(number: Int, of count: Int, rateFactor: Float, seed: UInt64) {
    self.seed = seed
    self.number = number
    self.count = count
    self.rateFactor = rateFactor
  }
}

/// The members of a run, of which a worker holds its own.
public struct Population: Sendable {
  /// How many samples each member learns from, known to all.
  public let sampleCounts: [Int]

  /// What all members are.
  public let graph: Graph
  private var own: [GradientDescent?]

  /// Members by number; nil where another worker holds one.
  public init(_ own: [GradientDescent?], of graph: Graph, sampleCounts: [Int]) {
    precondition(own.count == sampleCounts.count)
    self.own = own
    self.graph = graph
    self.sampleCounts = sampleCounts
  }

  public var count: Int { own.count }

  /// The members that this worker holds.
  public var held: [Int] { own.indices.filter { own[$0] != nil } }

  /// A member that this worker holds; another is a precondition failure.
  public subscript(member: Int) -> GradientDescent {
    get {
      guard let found = own[member] else {
        preconditionFailure("member \(member) is with another worker")
      }
      return found
    }
    set { own[member] = newValue }
  }

  /// A weighted mean over all members of a block of numbers, on every worker.
  ///
  /// - Parameters:
  ///   - weights: one a member; they sum to one.
  ///   - length: how many numbers the block has.
  ///   - team: the workers.
  ///   - block: a member's.
  /// - Returns: Σ_m weight_m block_m, added in the order of the members.
  /// - Throws: what messages throw.
  func mean(
    weights: [Float], length: Int, with team: any Team,
    of block: @Sendable (GradientDescent) -> [Float]
  ) throws -> [Float] {
    try team.reduce(count, of: length, phase: "exchange") { [self] in
      block(self[$0])
    } _: { parts in
      var sum = [Float](repeating: 0, count: length)
      for (part, weight) in zip(parts, weights) {
        accumulate(Array(part), scale: weight, into: &sum)
      }
      return sum
    }
  }

  /// The weighted mean of all members' networks, on every worker: of their parameters, and of what they keep, such as running statistics.
  ///
  /// - Parameters:
  ///   - weights: one a member; they sum to one.
  ///   - team: the workers.
  /// - Returns: a network of ``graph``; whole numbers that members keep are rounded.
  /// - Throws: what messages throw.
  func meanNetwork(weights: [Float], with team: any Team) throws -> Network {
    let parameterCount = graph.parameterCount
    let all = try mean(
      weights: weights, length: parameterCount + graph.bufferCount, with: team
    ) { $0.network.parameters + $0.network.buffers }
    var result = Network(
      graph, parameters: Array(all[..<parameterCount]), buffers: Array(all[parameterCount...]))
    for buffer in graph.buffers where buffer.role == .count {
      for place in buffer.range { result.buffers[place].round() }
    }
    return result
  }

  /// Equal weights, or by how many samples members have.
  func weights(_ weighting: MemberWeighting) -> [Float] {
    switch weighting {
    case .equal: return sampleCounts.map { _ in 1 / Float(count) }
    case .samples:
      let total = Double(sampleCounts.reduce(0, +))
      return sampleCounts.map { Float(Double($0) / total) }
    }
  }
}

/// How much each member counts in a mean.
public enum MemberWeighting: String, CaseIterable, Sendable {
  case samples
  case equal
}

/// Where members begin.
public enum ExchangeStart: String, CaseIterable, Sendable {
  /// All from the first member's initial weights.
  case shared
  /// Each from its own.
  case separate
}

/// When members exchange: every so many steps, `10`, or epochs, `2e`.
public enum ExchangePeriod: Equatable, Sendable {
  case steps(Int)
  case epochs(Int)

  static func setting(_ name: String, _ defaultValue: ExchangePeriod) -> Setting<ExchangePeriod> {
    Setting(
      name, defaultValue, range: "steps as 10, or epochs as 1e; 1 to 1000000000",
      "how long members train between exchanges",
      parse: { text in
        let isEpochs = text.hasSuffix("e")
        guard let count = Int(isEpochs ? text.dropLast() : text[...]),
          (1...1_000_000_000).contains(count)
        else { return nil }
        return isEpochs ? .epochs(count) : .steps(count)
      },
      format: {
        switch $0 {
        case .steps(let count): "\(count)"
        case .epochs(let count): "\(count)e"
        }
      })
  }

  /// Up to which step each member trains before each exchange.
  ///
  /// By epochs each member ends its own; by steps those with fewer samples take fewer, so that all end together.
  ///
  /// - Parameters:
  ///   - epochs: of the run.
  ///   - batches: how many each member has an epoch.
  /// - Returns: [exchange][member] steps, from the start; the last are all.
  public func stops(epochs: Int, batches: [Int]) -> [[Int]] {
    switch self {
    case .epochs(let every):
      return (1...(epochs + every - 1) / every).map { exchange in
        batches.map { min(exchange * every, epochs) * $0 }
      }
    case .steps(let every):
      let most = epochs * (batches.max() ?? 1)
      return (1...(most + every - 1) / every).map { exchange in
        batches.map { epochs * $0 * min(exchange * every, most) / most }
      }
    }
  }
}
