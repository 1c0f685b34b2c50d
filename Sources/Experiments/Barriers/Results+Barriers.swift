extension Results {
  /// What one network comes to.
  public struct Value: Codable, Equatable, Sendable {
    /// Cross entropy in nats.
    public var loss: Double
    public var accuracy: Double
  }

  /// What one network, or a difference of networks, comes to on both sets.
  public struct Values: Codable, Equatable, Sendable {
    /// On the first 5,000 training images that were learned from.
    public var training: Value
    public var test: Value
  }

  /// How far weighted means of the members are from the members, as one alignment has them.
  ///
  /// Of every mean Σ_m λ_m θ_m the *excess* is L(Σ λ_m θ_m) − Σ λ_m L(θ_m) in loss, and Σ λ_m a(θ_m) − a(Σ λ_m θ_m) in
  /// accuracy: above zero where the mean is worse than its members are.
  public struct Barrier: Codable, Equatable, Sendable {
    /// How the members were permuted first: the chain of methods that found how; nil for as they are.
    public var alignment: String?

    /// The barriers between two members: all pairs of up to four members, six pairs of more.
    public var pairs: [Pair]

    /// The mean over pairs.
    public var mean: Values

    /// The largest of the pairs' barriers, in each of its numbers.
    public var largest: Values

    /// The means of the members by weights of the uniform distribution over all weights (Dirichlet(1)).
    public var simplex: Place

    /// The plain mean of all members.
    public var barycentre: Place

    /// The largest excess on the line (1 − λ) θ_a + λ θ_b, ends included.
    public struct Pair: Codable, Equatable, Sendable {
      public var from: Int
      public var to: Int

      /// How many λ from 0 to 1 were tried, at equal distances.
      public var points: Int
      public var barrier: Values
    }

    /// The mean over some networks.
    public struct Place: Codable, Equatable, Sendable {
      /// How many networks.
      public var networks: Int
      public var value: Values
      public var excess: Values
    }
  }
}

extension Results.Value {
  static func + (a: Self, b: Self) -> Self {
    Self(loss: a.loss + b.loss, accuracy: a.accuracy + b.accuracy)
  }
  static func * (scale: Double, a: Self) -> Self {
    Self(loss: scale * a.loss, accuracy: scale * a.accuracy)
  }

  /// How much worse this is than another: loss above, accuracy below.
  func excess(over other: Self) -> Self {
    Self(loss: loss - other.loss, accuracy: other.accuracy - accuracy)
  }
}

extension Results.Values {
  static let zero = Self(
    training: .init(loss: 0, accuracy: 0), test: .init(loss: 0, accuracy: 0))

  static func + (a: Self, b: Self) -> Self {
    Self(training: a.training + b.training, test: a.test + b.test)
  }
  static func * (scale: Double, a: Self) -> Self {
    Self(training: scale * a.training, test: scale * a.test)
  }

  func excess(over other: Self) -> Self {
    Self(
      training: training.excess(over: other.training), test: test.excess(over: other.test))
  }

  /// The larger of each number.
  static func largest(_ a: Self, _ b: Self) -> Self {
    func larger(_ a: Results.Value, _ b: Results.Value) -> Results.Value {
      Results.Value(loss: max(a.loss, b.loss), accuracy: max(a.accuracy, b.accuracy))
    }
    return Self(training: larger(a.training, b.training), test: larger(a.test, b.test))
  }

  /// The mean of some; zero of none.
  static func mean(_ values: [Self]) -> Self {
    values.isEmpty ? .zero : (1 / Double(values.count)) * values.reduce(.zero, +)
  }
}
