extension UnitRules {
  /// What puts axes one behind another, and cuts them.
  static let segments: [String: UnitRule] = same("cat concat concatenate") { call, units in
    // An empty vector is left out, as old programs have it.
    guard let operands = call.tensors("tensors")?.filter({ $0.count == call.shape.count }),
      let first = operands.first,
      let dim = call.dimension("dim", of: first.count, default: 0)
        ?? call.dimension("axis", of: first.count)
    else { return nil }
    for other in operands.dropFirst() {
      for place in first.indices where place != dim { units.unify(first[place], other[place]) }
    }
    var result = first
    for other in operands.dropFirst() { result[dim] = result[dim] + other[dim] }
    return [result]
  }
  .merging(
    same("stack") { call, units in
      guard let operands = call.tensors("tensors"), let first = operands.first,
        operands.allSatisfy({ $0.count == first.count }),
        let dim = call.dimension("dim", of: first.count + 1, default: 0)
      else { return nil }
      var result = first
      for other in operands.dropFirst() {
        for (a, b) in zip(first, other) { units.unify(a, b) }
      }
      result.insert(units.fixedAxis(of: operands.count), at: dim)
      return [result]
    }
  ) { $1 }
  .merging(
    same("chunk split split_with_sizes tensor_split unsafe_chunk unsafe_split") { call, units in
      guard let axes = call.tensor("self"),
        let dim = call.dimension("dim", of: axes.count, default: 0),
        call.node.shapes.allSatisfy({ $0.count == axes.count }), !call.node.shapes.isEmpty
      else { return nil }
      let parts = call.node.shapes.map { units.axis(of: $0[dim]) }
      units.unify(axes[dim], parts.dropFirst().reduce(parts[0]) { $0 + $1 })
      return parts.map { part in
        var own = axes
        own[dim] = part
        return own
      }
    }
  ) { $1 }
  .merging(
    same("slice narrow slice_copy") { call, units in
      guard var axes = call.tensor("self"),
        let dim = call.dimension("dim", of: axes.count, default: 0),
        call.shape.count == axes.count
      else { return nil }
      let (size, taken) = (units.size(of: axes[dim]), call.shape[dim])
      guard (call.integer("step") ?? 1) == 1 || taken == size else {
        units.fix(axes[dim])
        axes[dim] = units.fixedAxis(of: taken)
        return [axes]
      }
      let given = call.integer("start") ?? 0
      let start = min(max(given < 0 ? given + size : given, 0), size)
      guard start + taken <= size else { return nil }
      let part = units.axis(of: taken)
      var whole = part
      if start > 0 { whole = units.axis(of: start) + whole }
      if start + taken < size { whole = whole + units.axis(of: size - start - taken) }
      units.unify(axes[dim], whole)
      axes[dim] = part
      return [axes]
    }
  ) { $1 }
  .merging(
    // One entry of an axis is that one wherever the units go.
    same("select unbind select_copy") { call, units in
      guard var axes = call.tensor("self"),
        let dim = call.dimension("dim", of: axes.count, default: 0)
      else { return nil }
      units.fix(axes.remove(at: dim))
      return call.node.shapes.map { _ in axes }
    }
  ) { $1 }
  .merging(
    same("index_select") { call, units in
      guard var axes = call.tensor("self"), let dim = call.dimension("dim", of: axes.count),
        let index = call.tensor("index"), index.count == 1
      else { return nil }
      units.fix(axes[dim])
      axes[dim] = index[0]
      return [axes]
    }
  ) { $1 }
  .merging(
    // A table's rows by numbers: the first axes are looked up, and the others pass.
    same("index") { call, units in
      guard let axes = call.tensor("self"), let indices = call.tensors("indices"),
        indices.count == 1, axes.count + indices[0].count - 1 == call.shape.count, !axes.isEmpty
      else { return nil }
      units.fix(axes[0])
      for axis in indices[0] { units.fix(axis) }
      return [indices[0] + axes.dropFirst()]
    }
  ) { $1 }
  .merging(
    same("roll flip") { call, units in
      guard let axes = call.tensor("self") else { return nil }
      let given = call.dimensions("dims", of: axes.count) ?? []
      for dim in given.isEmpty ? Array(axes.indices) : given { units.fix(axes[dim]) }
      return [axes]
    }
  ) { $1 }
}
