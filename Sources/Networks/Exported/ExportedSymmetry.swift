/// Which units of an exported network may be reordered, and what keeps the others in their places.
public struct ExportedSymmetry: Sendable {
  /// The groups, their places being in the layouts that were given.
  public let symmetry: Symmetry

  /// The operators that no rule knows, in the order in which they come first.
  public let unknown: [UnknownOperator]

  /// How many of the parameters lie on an axis that a group numbers.
  public let permutableParameters: Int

  /// How many there are.
  public let parameterCount: Int

  /// What pins the others, most parameters first.
  public let fixed: [Fixed]

  /// An operator without a rule, all of whose axes are pinned.
  public struct UnknownOperator: Equatable, Sendable {
    /// As PyTorch spells it.
    public let name: String
    /// How often it is applied, and the first node that does.
    public var count: Int
    public let firstNode: String
  }

  /// Parameters that stay in their places.
  public struct Fixed: Equatable, Sendable {
    public let reason: String
    public var parameters: Int
    /// The first tensor that has some.
    public let firstTensor: String
  }

  /// What units are pinned for, where it is no node.
  private enum Cause {
    static let (input, output, unread, integers) = (-1, -2, -3, -4)
  }

  /// Derives the groups by the rules of the operators.
  ///
  /// - Parameters:
  ///   - graph: the network.
  ///   - layouts: of ``ExportedGraph/parameters``.
  ///   - buffers: of ``ExportedGraph/buffers``.
  init(_ graph: ExportedGraph, parameters layouts: [TensorLayout], buffers: [TensorLayout]) {
    var units = UnitRelations()
    let tensorAxes = graph.tensors.map { $0.shape.map { units.axis(of: $0) } }
    var values: [String: [RuleCall.Axes]] = [:]
    units.cause = Cause.input
    for value in graph.inputs + graph.constants {
      values[value.name] = [value.shape.map { units.fixedAxis(of: $0) }]
    }
    var isRead = [Bool](repeating: false, count: graph.tensors.count)
    var unknown: [UnknownOperator] = []
    for (number, node) in graph.nodes.enumerated() {
      units.cause = number
      if node.kind == "getitem" {
        if let part = Self.part(of: node, values) {
          values[node.name] = [part]
          continue
        }
      }
      var call = RuleCall(node) { argument in
        switch argument {
        case .value(let name): return values[name]?.first
        case .tensor(let place):
          isRead[place] = true
          return tensorAxes[place]
        case .number, .text, .list, .nothing: return nil
        }
      }
      // What changes the axes of a value in place changes them for all who read it later.
      let rule =
        node.isInPlace && UnitRules.shapes[node.kind] != nil ? nil : UnitRules.all[node.kind]
      let made = rule.flatMap { $0(&call, &units) }
      if let made, made.map({ $0.map { units.size(of: $0) } }) == node.shapes {
        for axis in call.forgotten.joined() { units.fix(axis) }
        values[node.name] = made
        continue
      }
      if let place = unknown.firstIndex(where: { $0.name == node.operator }) {
        unknown[place].count += 1
      } else {
        unknown.append(UnknownOperator(name: node.operator, count: 1, firstNode: node.name))
      }
      for axis in call.all.joined() { units.fix(axis) }
      // All that an operator may put out of a list of values it was given.
      for case .value(let name) in node.arguments.flatMap(\.value.references) {
        for axis in (values[name] ?? []).joined() { units.fix(axis) }
      }
      values[node.name] = node.shapes.map { $0.map { units.fixedAxis(of: $0) } }
    }
    units.cause = Cause.output
    for output in graph.outputs {
      for axis in (values[output] ?? []).joined() { units.fix(axis) }
    }
    for (tensor, axes) in zip(graph.tensors.indices, tensorAxes) {
      units.cause = graph.tensors[tensor].isFloating ? Cause.unread : Cause.integers
      guard !isRead[tensor] || !graph.tensors[tensor].isFloating else { continue }
      for axis in axes { units.fix(axis) }
    }
    // One unit has no order, and is no group.
    for axis in tensorAxes.joined() { units.fixSingles(along: axis) }

    let floating = zip(graph.tensors, tensorAxes).filter { $0.0.isFloating }
    let own = floating.filter { $0.0.isParameter }.map(\.1)
    symmetry = Symmetry(
      units, tensors: Array(zip(layouts, own)),
      buffers: Array(zip(buffers, floating.filter { !$0.0.isParameter }.map(\.1))), nodeAxes: [nil])
    self.unknown = unknown
    parameterCount = layouts.reduce(0) { $0 + $1.range.count }
    var fixed: [Fixed] = []
    var free = 0
    for (layout, axes) in zip(layouts, own) {
      let count = Self.freeEntries(layout, axes.map { units.runs($0) })
      free += count
      guard count < layout.range.count else { continue }
      let reason = Self.reason(axes.flatMap { units.runs($0) }, graph, unknown)
      if let place = fixed.firstIndex(where: { $0.reason == reason }) {
        fixed[place].parameters += layout.range.count - count
      } else {
        fixed.append(
          Fixed(
            reason: reason, parameters: layout.range.count - count, firstTensor: layout.name))
      }
    }
    permutableParameters = free
    self.fixed = fixed.enumerated().sorted {
      ($1.element.parameters, $0.offset) < ($0.element.parameters, $1.offset)
    }.map(\.element)
  }

  /// One of several values that a node put out.
  private static func part(
    of node: ExportedGraph.Node, _ values: [String: [RuleCall.Axes]]
  ) -> RuleCall.Axes? {
    var source: String?
    var place: Int?
    for argument in node.arguments {
      switch argument.value {
      case .value(let name): source = name
      case .number(let number): place = Int(exactly: number)
      case .tensor, .text, .list, .nothing: break
      }
    }
    guard let source, let place, let list = values[source], list.indices.contains(place) else {
      return nil
    }
    return list[place]
  }

  /// How many entries of a tensor lie along an axis at a unit of a group.
  private static func freeEntries(_ layout: TensorLayout, _ runs: [[UnitRelations.Run]]) -> Int {
    // An entry is pinned if it is along every axis.
    let pinned = zip(layout.shape, runs).reduce(1) { product, axis in
      let isWholly = axis.1.contains { !$0.isFixed && $0.outer * $0.block * $0.count == axis.0 }
      guard !isWholly else { return 0 }
      var isFree = [Bool](repeating: false, count: axis.0)
      for run in axis.1 where !run.isFixed {
        for o in 0..<run.outer {
          let start = run.offset + o * run.count * run.block
          for entry in start..<start + run.count * run.block { isFree[entry] = true }
        }
      }
      return product * isFree.lazy.filter { !$0 }.count
    }
    return layout.range.count - pinned
  }

  private static func reason(
    _ runs: [UnitRelations.Run], _ graph: ExportedGraph, _ unknown: [UnknownOperator]
  ) -> String {
    let cause = runs.first { $0.isFixed && $0.count > 1 }?.cause
    switch cause {
    case .none: return "has a single unit"
    case Cause.input: return "meets the network's input or a constant"
    case Cause.output: return "is the network's output"
    case Cause.unread: return "is not read by the graph"
    case Cause.integers: return "meets a tensor of whole numbers"
    case .some(let number):
      let node = graph.nodes[number]
      return unknown.contains { $0.name == node.operator }
        ? "\(node.operator) has no rule" : "\(node.operator) keeps its order"
    }
  }
}

extension UnitRelations {
  /// Pins what has one unit alone along an axis.
  fileprivate mutating func fixSingles(along axis: Axis) {
    for run in runs(axis) where run.count <= 1 { fix(Axis(segments: [[run.variable]])) }
  }
}
