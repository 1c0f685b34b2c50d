extension UnitRules {
  /// What sums over axes, in whatever order.
  static let reductions: [String: UnitRule] = same(
    "mean sum amax amin var std prod linalg_vector_norm norm logsumexp any all nanmean nansum"
  ) { call, units in
    guard let axes = call.tensor("self") else { return nil }
    let given = call.dimensions("dim", of: axes.count) ?? []
    let reduced = Set(given.isEmpty ? Array(axes.indices) : given)
    let isKept = call.flag("keepdim")
    return [
      axes.indices.compactMap { place in
        if !reduced.contains(place) { return axes[place] }
        return isKept ? units.axis(of: 1) : nil
      }
    ]
  }

  /// What looks at neighbours: channels pass, and the axes of places stay.
  static let spatial: [String: UnitRule] = [1, 2, 3].reduce(into: [:]) { result, rank in
    let kinds =
      [
        "max_pool", "avg_pool", "lp_pool", "adaptive_avg_pool", "adaptive_max_pool",
        "_adaptive_avg_pool", "upsample_nearest", "upsample_linear", "upsample_bilinear",
        "upsample_bicubic", "upsample_trilinear", "_upsample_nearest_exact",
        "_upsample_bilinear_aa", "reflection_pad", "replication_pad",
      ].map { "\($0)\(rank)d" } + ["max_pool\(rank)d_with_indices"]
    result.merge(
      same(kinds.joined(separator: " ")) { call, units in
        guard let axes = call.tensor("self") ?? call.tensor("input"), axes.count > rank,
          call.shape.count == axes.count
        else { return nil }
        let border = axes.count - rank
        for axis in axes[border...] { units.fix(axis) }
        return call.node.shapes.map { shape in
          axes[..<border] + shape.dropFirst(border).map { units.fixedAxis(of: $0) }
        }
      }
    ) { $1 }
  }
  .merging(
    // Zeros before and behind an axis are units that are all alike.
    same("pad constant_pad_nd") { call, units in
      guard var axes = call.tensor("self"), let pad = call.integers("pad"),
        pad.count.isMultiple(of: 2), pad.count / 2 <= axes.count, call.shape.count == axes.count
      else { return nil }
      let isConstant = (call.text("mode") ?? "constant") == "constant"
      for pair in 0..<pad.count / 2 where pad[2 * pair] != 0 || pad[2 * pair + 1] != 0 {
        let dim = axes.count - 1 - pair
        let (before, after) = (pad[2 * pair], pad[2 * pair + 1])
        guard isConstant, before >= 0, after >= 0, before < 1 << 24, after < 1 << 24 else {
          units.fix(axes[dim])
          axes[dim] = units.fixedAxis(of: call.shape[dim])
          continue
        }
        if before > 0 { axes[dim] = units.axis(of: before) + axes[dim] }
        if after > 0 { axes[dim] = axes[dim] + units.axis(of: after) }
      }
      return [axes]
    }
  ) { $1 }
}
