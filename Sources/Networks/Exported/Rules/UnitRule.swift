/// How units pass through one operator: relates the axes of what it is given, and makes those of what it puts out.
///
/// Nil where the rule does not know the arguments; then all axes are pinned, as for an operator without a rule.
typealias UnitRule = @Sendable (inout RuleCall, inout UnitRelations) -> [[UnitRelations.Axis]]?

/// The rules of operators by their kinds, `conv2d`.
enum UnitRules {
  static let all: [String: UnitRule] = [
    elementwise, normalization, products, attention, shapes, segments, reductions, spatial,
    constants,
  ].reduce(into: [:]) { $0.merge($1) { first, _ in first } }

  /// The same rule for several operators.
  static func same(_ kinds: String, _ rule: @escaping UnitRule) -> [String: UnitRule] {
    Dictionary(
      kinds.split(whereSeparator: \.isWhitespace).map { (String($0), rule) },
      uniquingKeysWith: { first, _ in first })
  }
}

/// A node as its rule finds it.
struct RuleCall {
  typealias Axes = [UnitRelations.Axis]

  let node: ExportedGraph.Node

  /// The axes of each argument that is a value or a tensor, by the argument's name.
  private let axes: [String: [Axes?]]

  /// The arguments that the rule has looked at.
  private(set) var asked: Set<String> = []

  /// A node whose references have some axes.
  init(_ node: ExportedGraph.Node, axes: (ExportedGraph.Argument) -> Axes?) {
    self.node = node
    var found: [String: [Axes?]] = [:]
    for (name, argument) in node.arguments where !argument.references.isEmpty {
      if case .list(let items) = argument {
        found[name] = items.map { axes($0) }
      } else {
        found[name] = [axes(argument)]
      }
    }
    self.axes = found
  }

  /// The shape of the only value that the node puts out.
  var shape: [Int] { node.shapes.first ?? [] }

  /// The axes of every reference that the rule did not look at.
  var forgotten: [Axes] {
    node.arguments.filter { !asked.contains($0.name) }
      .flatMap { axes[$0.name] ?? [] }.compactMap(\.self)
  }

  /// The axes of every reference.
  var all: [Axes] { node.arguments.flatMap { axes[$0.name] ?? [] }.compactMap(\.self) }

  /// The axes of an argument; nil if it is not given, or is no tensor.
  mutating func tensor(_ name: String) -> Axes? {
    guard let list = axes[name], list.count == 1 else { return nil }
    asked.insert(name)
    return list[0]
  }

  /// The axes of each tensor in a list.
  mutating func tensors(_ name: String) -> [Axes]? {
    guard let list = axes[name] else { return nil }
    asked.insert(name)
    let known = list.compactMap(\.self)
    return known.count == list.count ? known : nil
  }

  /// The axes of every tensor that the node is given, in the order of the arguments' names.
  mutating func everything() -> [Axes] {
    asked.formUnion(axes.keys)
    return all
  }

  private func argument(_ name: String) -> ExportedGraph.Argument? {
    node.arguments.first { $0.name == name }?.value
  }

  /// A whole number; nil if there is none of the name.
  func integer(_ name: String) -> Int? {
    guard case .number(let number) = argument(name) else { return nil }
    return Int(exactly: number)
  }

  func flag(_ name: String) -> Bool { (integer(name) ?? 0) != 0 }

  func text(_ name: String) -> String? {
    guard case .text(let text) = argument(name) else { return nil }
    return text
  }

  /// Whole numbers, of which a single one counts as a list; nil if there are none of the name.
  func integers(_ name: String) -> [Int]? {
    if let one = integer(name) { return [one] }
    guard case .list(let items) = argument(name) else { return nil }
    var result: [Int] = []
    for item in items {
      guard case .number(let number) = item, let value = Int(exactly: number) else { return nil }
      result.append(value)
    }
    return result
  }

  /// An axis' number from 0, where it may be given from the end.
  func dimension(_ name: String, of rank: Int, default value: Int? = nil) -> Int? {
    guard let given = integer(name) ?? value else { return nil }
    let place = given < 0 ? given + rank : given
    return (0..<rank).contains(place) ? place : nil
  }

  /// Several axes' numbers; nil if one is out of range or twice there.
  func dimensions(_ name: String, of rank: Int) -> [Int]? {
    guard let given = integers(name) else { return nil }
    let places = given.map { $0 < 0 ? $0 + rank : $0 }
    guard places.allSatisfy({ (0..<rank).contains($0) }), Set(places).count == places.count else {
      return nil
    }
    return places
  }
}

extension UnitRelations {
  /// An axis whose units stay in their places.
  mutating func fixedAxis(of size: Int) -> Axis {
    let axis = axis(of: size)
    fix(axis)
    return axis
  }

  /// Unifies axes from the last on, where an axis of one entry stands for all: the axes of what elementwise operators make.
  mutating func broadcast(_ operands: [[Axis]]) -> [Axis] {
    let rank = operands.reduce(0) { max($0, $1.count) }
    return (0..<rank).map { place in
      var result: Axis?
      var single: Axis?
      for axes in operands {
        let own = place - (rank - axes.count)
        guard own >= 0 else { continue }
        if size(of: axes[own]) == 1 {
          single = axes[own]
        } else if let known = result {
          unify(known, axes[own])
        } else {
          result = axes[own]
        }
      }
      return result ?? single ?? axis(of: 1)
    }
  }

  /// The axes of a value in another shape, as `view` gives it.
  ///
  /// Axes are compared in the smallest runs that have equally many entries on both sides; one for one they pass, and else
  /// the flattened run is cut into as many factors as the new shape has.
  mutating func regrouped(_ axes: [Axis], to shape: [Int]) -> [Axis]? {
    let old = axes.filter { size(of: $0) != 1 }
    let new = shape.indices.filter { shape[$0] != 1 }
    var result: [Axis?] = shape.map { _ in nil }
    var (i, j) = (0, 0)
    while i < old.count || j < new.count {
      guard i < old.count, j < new.count else { return nil }
      var (ins, outs) = ([old[i]], [new[j]])
      var (before, after) = (size(of: old[i]), shape[new[j]])
      (i, j) = (i + 1, j + 1)
      while before != after {
        if before < after {
          guard i < old.count else { return nil }
          ins.append(old[i])
          before *= size(of: old[i])
          i += 1
        } else {
          guard j < new.count else { return nil }
          outs.append(new[j])
          after *= shape[new[j]]
          j += 1
        }
      }
      if ins.count == 1, outs.count == 1 {
        result[outs[0]] = ins[0]
        continue
      }
      let parts = outs.map { axis(of: shape[$0]) }
      if let flat = flattened(ins) {
        if outs.count == 1 {
          result[outs[0]] = flat
          continue
        }
        if let product = product(parts) { unify(flat, product) }
      } else {
        for axis in ins + parts { fix(axis) }
      }
      for (place, part) in zip(outs, parts) { result[place] = part }
    }
    return result.map { $0 ?? axis(of: 1) }
  }
}
