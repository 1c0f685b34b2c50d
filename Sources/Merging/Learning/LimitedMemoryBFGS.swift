/// Minimises a smooth function by its values and gradients, from a point at which an approximate inverse of its Hessian is known
/// (L-BFGS: Nocedal & Wright 2006, algorithm 7.5).
///
/// The function is evaluated elsewhere, perhaps by many workers together: ``proposal`` is the point that is to be evaluated
/// next, and ``advance(loss:gradient:)`` takes what came of it.
struct LimitedMemoryBFGS: Sendable {
  /// The best point so far.
  private(set) var point: [Double]

  /// Where the function is to be evaluated next, in single precision; at first the start.
  private(set) var proposal: [Double]

  private let precondition: @Sendable ([Double]) -> [Double]
  private var loss = Double.infinity
  private var gradient: [Double] = []
  private var direction: [Double] = []
  private var step = 0.0
  private var pairs: [(step: [Double], change: [Double], inverse: Double)] = []

  /// Differences that are remembered.
  private static let memory = 8
  /// How much of the decrease that the slope promises is asked for.
  private static let decrease = 1e-4
  /// Losses that differ by less, relatively, are taken to be equal: they are sums of single precision.
  private static let precision = 1e-7

  /// A minimisation.
  ///
  /// - Parameters:
  ///   - start: where it starts.
  ///   - precondition: the inverse of a Hessian, times a gradient.
  init(from start: [Double], precondition: @escaping @Sendable ([Double]) -> [Double]) {
    point = start
    proposal = start
    self.precondition = precondition
  }

  /// The minimisation of another function, near by, from the best point so far.
  var startedAgain: LimitedMemoryBFGS { LimitedMemoryBFGS(from: point, precondition: precondition) }

  /// Takes what the function is at ``proposal``, and proposes another point: further on if it is lower, else nearer.
  ///
  /// - Returns: whether it is lower, and now the best point.
  @discardableResult
  mutating func advance(loss newLoss: Double, gradient newGradient: [Double]) -> Bool {
    let isBetter = take(newLoss, newGradient)
    for i in point.indices { proposal[i] = Double(Float(point[i] + step * direction[i])) }
    return isBetter
  }

  private mutating func take(_ newLoss: Double, _ newGradient: [Double]) -> Bool {
    let slope = direction.isEmpty ? 0 : step * dot(direction, gradient)
    let tolerance = loss.isFinite ? Self.precision * abs(loss) : 0
    guard newLoss <= loss + Self.decrease * slope + tolerance else {
      step /= 2
      return false
    }
    if !gradient.isEmpty { remember(newGradient) }
    (point, loss, gradient) = (proposal, newLoss, newGradient)
    direction = descent()
    step = 1
    return true
  }

  private mutating func remember(_ newGradient: [Double]) {
    let moved = zip(proposal, point).map { $0 - $1 }
    let change = zip(newGradient, gradient).map { $0 - $1 }
    let curvature = dot(moved, change)
    // Of a convex function it is positive but for rounding.
    guard curvature > 0 else { return }
    pairs.append((moved, change, 1 / curvature))
    if pairs.count > Self.memory { pairs.removeFirst() }
  }

  /// −H g, with H the inverse Hessian as the differences have corrected it.
  private func descent() -> [Double] {
    var q = gradient
    var factors: [Double] = []
    for pair in pairs.reversed() {
      let factor = pair.inverse * dot(pair.step, q)
      factors.append(factor)
      add(-factor, pair.change, to: &q)
    }
    q = precondition(q)
    if let last = pairs.last {
      let scale = dot(last.step, last.change) / dot(last.change, precondition(last.change))
      for i in q.indices { q[i] *= scale }
    }
    for (pair, factor) in zip(pairs, factors.reversed()) {
      add(factor - pair.inverse * dot(pair.change, q), pair.step, to: &q)
    }
    return q.map { -$0 }
  }
}

/// Σ x y.
private func dot(_ x: [Double], _ y: [Double]) -> Double {
  zip(x, y).reduce(0) { $0 + $1.0 * $1.1 }
}

/// Adds factor · x to y.
private func add(_ factor: Double, _ x: [Double], to y: inout [Double]) {
  for i in y.indices { y[i] += factor * x[i] }
}
