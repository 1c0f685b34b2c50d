extension UnitRules {
  /// What reorders, splits and joins axes, and leaves entries as they are.
  static let shapes: [String: UnitRule] = same(
    "view reshape flatten unflatten _unsafe_view view_copy reshape_as view_as ravel _reshape_alias"
  ) { call, units in
    guard let axes = call.tensor("self") else { return nil }
    return units.regrouped(axes, to: call.shape).map { [$0] }
  }
  .merging(
    same("permute permute_copy") { call, units in
      guard let axes = call.tensor("self"), let dims = call.dimensions("dims", of: axes.count),
        dims.count == axes.count
      else { return nil }
      return [dims.map { axes[$0] }]
    }
  ) { $1 }
  .merging(
    same("transpose swapaxes swapdims transpose_copy") { call, units in
      guard var axes = call.tensor("self"),
        let a = call.dimension("dim0", of: axes.count)
          ?? call.dimension("axis0", of: axes.count),
        let b = call.dimension("dim1", of: axes.count)
          ?? call.dimension("axis1", of: axes.count)
      else { return nil }
      axes.swapAt(a, b)
      return [axes]
    }
  ) { $1 }
  .merging(
    same("movedim moveaxis") { call, units in
      guard let axes = call.tensor("self"), let from = call.dimensions("source", of: axes.count),
        let to = call.dimensions("destination", of: axes.count), from.count == to.count
      else { return nil }
      var result: [UnitRelations.Axis?] = axes.map { _ in nil }
      for (a, b) in zip(from, to) { result[b] = axes[a] }
      var rest = axes.indices.filter { !from.contains($0) }.map { axes[$0] }[...]
      return [result.compactMap { $0 ?? rest.popFirst() }]
    }
  ) { $1 }
  .merging(
    same("t numpy_T mT adjoint matrix_H") { call, units in
      guard var axes = call.tensor("self") else { return nil }
      if axes.count > 1 { axes.swapAt(axes.count - 1, axes.count - 2) }
      return axes.count <= 2 || call.node.kind != "numpy_T" ? [axes] : nil
    }
  ) { $1 }
  .merging(
    // Which axes of one entry go or come can be read off the shape.
    same("squeeze unsqueeze squeeze_copy unsqueeze_copy") { call, units in
      guard let axes = call.tensor("self") else { return nil }
      return units.regrouped(axes, to: call.shape).map { [$0] }
    }
  ) { $1 }
  .merging(
    same("expand expand_as broadcast_to expand_copy") { call, units in
      guard let axes = call.tensor("self"), axes.count <= call.shape.count else { return nil }
      if let other = call.tensor("other") {
        guard other.count == call.shape.count else { return nil }
      }
      let shape = call.shape
      let new = shape.count - axes.count
      return [
        shape.indices.map { place in
          // What is repeated is the same all over.
          place < new || units.size(of: axes[place - new]) != shape[place]
            ? units.axis(of: shape[place]) : axes[place - new]
        }
      ]
    }
  ) { $1 }
  .merging(
    same("repeat tile") { call, units in
      guard let axes = call.tensor("self"),
        let repeats = call.integers("repeats") ?? call.integers("dims"),
        repeats.count >= axes.count, repeats.allSatisfy({ (1...4096).contains($0) })
      else { return nil }
      let new = repeats.count - axes.count
      return [
        repeats.enumerated().map { place, count in
          guard place >= new else { return units.axis(of: count) }
          let axis = axes[place - new]
          if units.size(of: axis) == 1 { return units.axis(of: count) }
          return (1..<count).reduce(axis) { sum, _ in sum + axis }
        }
      ]
    }
  ) { $1 }
  .merging(
    same("repeat_interleave") { call, units in
      guard var axes = call.tensor("self"), let count = call.integer("repeats"), count > 0,
        let dim = call.dimension("dim", of: axes.count)
      else { return nil }
      let copies = units.axis(of: count)
      guard let product = units.product([axes[dim], copies]) else { return nil }
      axes[dim] = product
      return [axes]
    }
  ) { $1 }
  .merging(
    same("pixel_shuffle") { call, units in
      guard var axes = call.tensor("self"), axes.count > 2,
        let factor = call.integer("upscale_factor"),
        factor > 0, units.size(of: axes[axes.count - 3]).isMultiple(of: factor * factor)
      else { return nil }
      let channel = axes.count - 3
      let made = units.axis(of: units.size(of: axes[channel]) / (factor * factor))
      let places = units.fixedAxis(of: factor * factor)
      guard let product = units.product([made, places]) else { return nil }
      units.unify(axes[channel], product)
      axes[channel] = made
      for place in [channel + 1, channel + 2] {
        units.fix(axes[place])
        axes[place] = units.fixedAxis(of: call.shape.count > place ? call.shape[place] : 0)
      }
      return [axes]
    }
  ) { $1 }
}
