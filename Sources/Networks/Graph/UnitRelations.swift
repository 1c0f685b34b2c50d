/// Which axes of values and tensors number the same units, as layers say one after another.
///
/// A union–find over *variables*, sets of units. An axis is a list of segments, as concatenation makes them, and a segment a
/// product of variables in row-major order, as flattening, heads and channel groups make them. Two axes are unified segment
/// by segment: equal sizes are joined, a variable is split where another divides it or cut where the other side is
/// concatenated, and what fits in no way is fixed, so a rule that says too little costs symmetry and never correctness.
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
    /// What the units were pinned for: ``UnitRelations/cause`` at that time.
    var cause: Int?
    var replacement: Replacement?
  }

  /// What has taken a variable's place.
  private enum Replacement {
    /// The one it was joined with, or the parts it was split into.
    case product([Int])
    /// The pieces it was cut into, one behind another.
    case segments([Int])
  }

  private var variables: [Variable] = []

  /// For what units are being pinned at present, if the caller wants to know later.
  var cause: Int?

  /// An axis of units that nothing is known of yet.
  public mutating func axis(of size: Int) -> Axis {
    variables.append(Variable(size: size))
    return Axis(segments: [[variables.count - 1]])
  }

  /// Pins an axis' units to their places.
  public mutating func fix(_ axis: Axis) {
    for variable in resolve(axis).segments.joined() { fix(variable) }
  }

  /// Says that two axes number the same units.
  public mutating func unify(_ a: Axis, _ b: Axis) {
    let (a, b) = (resolve(a), resolve(b))
    let (own, others) = (a.segments.map(size(of:)), b.segments.map(size(of:)))
    if own == others {
      for (p, q) in zip(a.segments, b.segments) { unifyProducts(p, q) }
    } else if let pieces = Self.pieces(of: own, in: others), cut(a, into: pieces) {
      unify(a, b)
    } else if let pieces = Self.pieces(of: others, in: own), cut(b, into: pieces) {
      unify(a, b)
    } else {
      fix(a)
      fix(b)
    }
  }

  /// The axes as one, as flattening leaves them; nil if one of them is concatenated.
  public func product(_ axes: [Axis]) -> Axis? {
    let resolved = axes.map(resolve)
    guard resolved.allSatisfy({ $0.segments.count == 1 }) else { return nil }
    return Axis(segments: [resolved.flatMap { $0.segments[0] }])
  }

  /// The axes as one, where the first may be concatenated: each of its segments is followed by the others; nil if a later one is.
  func flattened(_ axes: [Axis]) -> Axis? {
    let resolved = axes.map(resolve).filter { self.size(of: $0) != 1 }
    guard let first = resolved.first else { return axes.first }
    guard resolved.dropFirst().allSatisfy({ $0.segments.count == 1 }) else { return nil }
    let inner = resolved.dropFirst().flatMap { $0.segments[0] }
    return Axis(segments: first.segments.map { $0 + inner })
  }

  /// How many entries an axis has.
  func size(of axis: Axis) -> Int { axis.segments.reduce(0) { $0 + size(of: $1) } }

  /// The sizes of the fine segments that each coarse one is made of; nil if borders of the coarse are none of the fine.
  private static func pieces(of coarse: [Int], in fine: [Int]) -> [[Int]]? {
    var rest = fine[...]
    var result: [[Int]] = []
    for size in coarse {
      var own: [Int] = []
      var sum = 0
      while sum < size, let next = rest.popFirst() {
        own.append(next)
        sum += next
      }
      guard sum == size else { return nil }
      result.append(own)
    }
    return rest.isEmpty ? result : nil
  }

  /// Cuts segments into pieces; false if one cannot be.
  private mutating func cut(_ axis: Axis, into pieces: [[Int]]) -> Bool {
    var isCut: Set<Int> = []
    for (segment, sizes) in zip(axis.segments, pieces) where sizes.count > 1 {
      let factors = segment.filter { variables[$0].size != 1 }
      guard let first = factors.first else { return false }
      // The same units twice: they are cut where they come first, and what follows is compared anew.
      if isCut.contains(first) { continue }
      guard variables[first].replacement == nil else { return false }
      let inner = size(of: Array(factors.dropFirst()))
      guard sizes.allSatisfy({ $0.isMultiple(of: inner) }) else { return false }
      isCut.insert(first)
      let (isFixed, cause) = (variables[first].isFixed, variables[first].cause)
      let start = variables.count
      variables += sizes.map { Variable(size: $0 / inner, isFixed: isFixed, cause: cause) }
      variables[first].replacement = .segments(Array(start..<variables.count))
    }
    return !isCut.isEmpty
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
      } else if m > n, m.isMultiple(of: n), variables[a].replacement == nil {
        split(a, into: n)
      } else if n > m, n.isMultiple(of: m), variables[b].replacement == nil {
        split(b, into: m)
      } else {
        break
      }
      // What was joined or split may stand further on as well.
      (p, q) = (p.flatMap(resolve)[...], q.flatMap(resolve)[...])
    }
    for rest in Array(p) + q { fix(rest) }
  }

  private mutating func fix(_ variable: Int) {
    for variable in resolve(variable) {
      if case .segments(let parts) = variables[variable].replacement {
        for part in parts { fix(part) }
      } else if !variables[variable].isFixed {
        variables[variable].isFixed = true
        variables[variable].cause = cause
      }
    }
  }

  private mutating func join(_ a: Int, _ b: Int) {
    guard a != b else { return }
    switch (variables[a].replacement, variables[b].replacement) {
    case (nil, nil):
      if variables[b].isFixed, !variables[a].isFixed {
        variables[a].isFixed = true
        variables[a].cause = variables[b].cause
      }
      variables[b].replacement = .product([a])
    case (nil, .some):
      replace(a, by: b)
    case (.some, nil):
      replace(b, by: a)
    case (.some, .some):
      unify(Axis(segments: [[a]]), Axis(segments: [[b]]))
    }
  }

  /// Puts a variable that was cut in the place of one that is whole.
  private mutating func replace(_ whole: Int, by cut: Int) {
    let (isFixed, cause) = (variables[whole].isFixed, variables[whole].cause)
    variables[whole].replacement = .product([cut])
    guard isFixed else { return }
    let present = self.cause
    self.cause = cause
    fix(cut)
    self.cause = present
  }

  private mutating func split(_ variable: Int, into first: Int) {
    let old = variables[variable]
    let rest = old.size / first
    variables.append(Variable(size: first, isFixed: old.isFixed, cause: old.cause))
    variables.append(Variable(size: rest, isFixed: old.isFixed, cause: old.cause))
    variables[variable].replacement = .product([variables.count - 2, variables.count - 1])
  }

  private func size(of product: [Int]) -> Int {
    product.reduce(1) { $0 * variables[$1].size }
  }

  private func resolve(_ axis: Axis) -> Axis {
    Axis(segments: axis.segments.flatMap(resolveSegment))
  }

  /// A segment by what has taken its variables' places; several, where its outermost variable was cut.
  private func resolveSegment(_ segment: [Int]) -> [[Int]] {
    let product = segment.flatMap(resolve)
    guard let place = product.firstIndex(where: { variables[$0].size != 1 }),
      case .segments(let parts) = variables[product[place]].replacement
    else { return [product] }
    return parts.flatMap { resolveSegment([$0] + product[(place + 1)...]) }
  }

  private func resolve(_ variable: Int) -> [Int] {
    var variable = variable
    while case .product(let replacement) = variables[variable].replacement {
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
    /// What the units are pinned for, if that was noted.
    let cause: Int?
    /// Where the segment starts, how often the units repeat in it, and how many entries each has.
    let (offset, outer, block): (Int, Int, Int)
  }

  /// The units along an axis, once all is said.
  func runs(_ axis: Axis) -> [Run] {
    var offset = 0
    var result: [Run] = []
    for segment in resolve(axis).segments {
      append(segment, at: offset, scale: 1, to: &result)
      offset += size(of: segment)
    }
    return result
  }

  /// Adds the runs of a product that starts at an entry, and of whose entries each is `scale` of the axis'.
  private func append(_ product: [Int], at offset: Int, scale: Int, to result: inout [Run]) {
    let sizes = product.map { variables[$0].size }
    for (place, variable) in product.enumerated() {
      let outer = sizes[..<place].reduce(1, *)
      let block = sizes[(place + 1)...].reduce(1, *) * scale
      if case .segments(let parts) = variables[variable].replacement {
        // Pieces within a product repeat in steps of the whole, which a run cannot say: there is one for each repetition.
        for repetition in 0..<outer {
          var start = offset + repetition * sizes[place] * block
          for part in parts {
            append(resolve(part), at: start, scale: block, to: &result)
            start += variables[part].size * block
          }
        }
        continue
      }
      result.append(
        Run(
          variable: variable, count: sizes[place], isFixed: variables[variable].isFixed,
          cause: variables[variable].cause, offset: offset, outer: outer, block: block))
    }
  }
}
