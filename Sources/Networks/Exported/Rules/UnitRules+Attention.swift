extension UnitRules {
  /// Attention in one operator: heads pass, the width of q is that of k, and that of v is the output's.
  static let attention: [String: UnitRule] = same("scaled_dot_product_attention") { call, units in
    guard let q = call.tensor("query"), var k = call.tensor("key"), var v = call.tensor("value"),
      q.count >= 2, k.count == q.count, v.count == q.count
    else { return nil }
    let rank = q.count
    if call.flag("enable_gqa"), rank > 2 {
      // Several heads of q in turn share one of k and v.
      let head = rank - 3
      let (many, few) = (units.size(of: q[head]), units.size(of: k[head]))
      guard few > 0, many.isMultiple(of: few) else { return nil }
      let sharing = units.axis(of: many / few)
      guard let heads = units.product([k[head], sharing]) else { return nil }
      units.unify(k[head], v[head])
      units.unify(q[head], heads)
      k[head] = q[head]
      v[head] = q[head]
    }
    units.unify(q[rank - 1], k[rank - 1])
    units.unify(k[rank - 2], v[rank - 2])
    let batch = units.broadcast([q, k, v].map { Array($0.dropLast(2)) })
    if let mask = call.tensor("attn_mask") {
      _ = units.broadcast([mask, batch + [q[rank - 2], k[rank - 2]]])
    }
    if call.flag("is_causal") {
      units.fix(q[rank - 2])
      units.fix(k[rank - 2])
    }
    return [batch + [q[rank - 2], v[rank - 1]]]
  }
}
