/// Which axes of values and tensors number the same units, as layers say one after another.
///
/// A union–find over *variables*, sets of units. An axis is a list of segments, as concatenation makes them, and a segment a
/// product of variables in row-major order, as flattening, heads and channel groups make them. Two axes are unified segment
/// by segment: equal sizes are joined, a variable is split where another divides it, and what fits in neither way is fixed, so
/// a rule that says too little costs symmetry and never correctness.
public struct UnitRelations {
  /// How one axis numbers units.
  public struct Axis: Equatable, Sendable {
    /// Each a product of variables, the outermost first.
    var segments: [[Int]]

    /// The two axes one after another.
    public static func + (a: Axis, b: Axis) -> Axis { Axis(segments: a.segments + b.segments) }
  }

  private struct Variable {
    let size: Int
    var isFixed = false
    /// What has taken the variable's place: the one it was joined with, or the parts it was split into.
    var replacement: [Int]?
  }

  private var variables: [Variable] = []

  /// An axis of units that nothing is known of yet.
  public mutating func axis(of size: Int) -> Axis {
    variables.append(Variable(size: size))
    return Axis(segments: [[variables.count - 1]])
  }

  /// Pins an axis' units to their places.
  public mutating func fix(_ axis: Axis) {
    for variable in resolve(axis).segments.joined() { variables[variable].isFixed = true }
  }

  /// Says that two axes number the same units.
  public mutating func unify(_ a: Axis, _ b: Axis) {
    let (a, b) = (resolve(a), resolve(b))
    guard a.segments.map(size(of:)) == b.segments.map(size(of:)) else {
      fix(a)
      return fix(b)
    }
    for (p, q) in zip(a.segments, b.segments) { unifyProducts(p, q) }
  }

  /// The axes as one, as flattening leaves them.
  public func product(_ axes: [Axis]) -> Axis? {
    let resolved = axes.map(resolve)
    guard resolved.allSatisfy({ $0.segments.count == 1 }) else { return nil }
    return Axis(segments: [resolved.flatMap { $0.segments[0] }])
  }

  private mutating func unifyProducts(_ p: [Int], _ q: [Int]) {
    var (p, q) = (p.flatMap(resolve)[...], q.flatMap(resolve)[...])
    while let a = p.first, let b = q.first {
      let (m, n) = (variables[a].size, variables[b].size)
      if m == n {
        join(a, b)
        (p, q) = (p.dropFirst(), q.dropFirst())
      } else if n == 1 {
        // A set of one unit has no order.
        q = q.dropFirst()
      } else if m == 1 {
        p = p.dropFirst()
      } else if m > n, m.isMultiple(of: n) {
        split(a, into: n)
      } else if n > m, n.isMultiple(of: m) {
        split(b, into: m)
      } else {
        break
      }
      // What was joined or split may stand further on as well.
      (p, q) = (p.flatMap(resolve)[...], q.flatMap(resolve)[...])
    }
    for rest in Array(p) + q { variables[rest].isFixed = true }
  }

  private mutating func join(_ a: Int, _ b: Int) {
    guard a != b else { return }
    variables[a].isFixed = variables[a].isFixed || variables[b].isFixed
    variables[b].replacement = [a]
  }

  private mutating func split(_ variable: Int, into first: Int) {
    let rest = variables[variable].size / first
    let isFixed = variables[variable].isFixed
    variables.append(Variable(size: first, isFixed: isFixed))
    variables.append(Variable(size: rest, isFixed: isFixed))
    variables[variable].replacement = [variables.count - 2, variables.count - 1]
  }

  private func size(of product: [Int]) -> Int {
    product.reduce(1) { $0 * variables[$1].size }
  }

  private func resolve(_ axis: Axis) -> Axis {
    Axis(segments: axis.segments.map { $0.flatMap(resolve) })
  }

  private func resolve(_ variable: Int) -> [Int] {
    var variable = variable
    while let replacement = variables[variable].replacement {
      guard replacement.count == 1 else { return replacement.flatMap(resolve) }
      variable = replacement[0]
    }
    return [variable]
  }

  // MARK: - Reading the answer

  /// One run of units along an axis.
  struct Run {
    let variable: Int
    let count: Int
    let isFixed: Bool
    /// Where the segment starts, how often the units repeat in it, and how many entries each has.
    let (offset, outer, block): (Int, Int, Int)
  }

  /// The units along an axis, once all is said.
  func runs(_ axis: Axis) -> [Run] {
    var offset = 0
    var result: [Run] = []
    for segment in resolve(axis).segments {
      let sizes = segment.map { variables[$0].size }
      for (place, variable) in segment.enumerated() {
        result.append(
          Run(
            variable: variable, count: sizes[place], isFixed: variables[variable].isFixed,
            offset: offset, outer: sizes[..<place].reduce(1, *),
            block: sizes[(place + 1)...].reduce(1, *)))
      }
      offset += sizes.reduce(1, *)
    }
    return result
  }
}
