extension UnitRules {
  /// What mixes units by weights: convolutions, dense layers, products of matrices, tables.
  static let products: [String: UnitRule] = same(
    "conv1d conv2d conv3d convolution _convolution conv_transpose1d conv_transpose2d conv_transpose3d"
  ) { call, units in convolution(&call, &units) }
  .merging(
    same("linear") { call, units in
      guard let input = call.tensor("input"), let weight = call.tensor("weight"), weight.count == 2,
        let last = input.last
      else { return nil }
      units.unify(last, weight[1])
      if let bias = call.tensor("bias") {
        guard bias.count == 1 else { return nil }
        units.unify(weight[0], bias[0])
      }
      return [input.dropLast() + [weight[0]]]
    }
  ) { $1 }
  .merging(
    same("mm bmm matmul") { call, units in
      guard let a = call.tensor("self"), let b = call.tensor("other") ?? call.tensor("mat2") else {
        return nil
      }
      return product(a, b, &units).map { [$0] }
    }
  ) { $1 }
  .merging(
    same("addmm baddbmm") { call, units in
      guard let added = call.tensor("self"),
        let a = call.tensor("mat1") ?? call.tensor("batch1"),
        let b = call.tensor("mat2") ?? call.tensor("batch2"),
        let result = product(a, b, &units)
      else { return nil }
      return [units.broadcast([result, added])]
    }
  ) { $1 }
  .merging(
    same("embedding") { call, units in
      guard let weight = call.tensor("weight"), let indices = call.tensor("indices"),
        weight.count == 2
      else { return nil }
      // Which row is read is data.
      units.fix(weight[0])
      return [indices + [weight[1]]]
    }
  ) { $1 }
  .merging(same("einsum") { call, units in einsum(&call, &units) }) { $1 }

  /// Channels are (groups × own) on both sides; the kernel's own axes stay.
  private static func convolution(
    _ call: inout RuleCall, _ units: inout UnitRelations
  ) -> [RuleCall.Axes]? {
    guard let input = call.tensor("input"), let weight = call.tensor("weight"), weight.count > 2
    else { return nil }
    let isTransposed = call.flag("transposed") || call.node.kind.hasPrefix("conv_transpose")
    let groups = call.integer("groups") ?? 1
    let channel = input.count - (weight.count - 1)
    let rows = units.size(of: weight[0])
    guard channel >= 0, groups > 0, rows.isMultiple(of: groups), call.shape.count == input.count
    else { return nil }
    for axis in input[(channel + 1)...] + weight[2...] { units.fix(axis) }
    // The two sides of the weights: what is numbered by group first, and what each group numbers alike.
    var outer = weight[0]
    var inner = weight[1]
    if groups > 1 {
      let group = units.axis(of: groups)
      let own = units.axis(of: rows / groups)
      guard let byGroup = units.product([group, own]),
        let others = units.product([group, weight[1]])
      else { return nil }
      units.unify(weight[0], byGroup)
      outer = byGroup
      inner = others
    }
    let (read, made) = isTransposed ? (outer, inner) : (inner, outer)
    units.unify(input[channel], read)
    if let bias = call.tensor("bias") {
      guard bias.count == 1 else { return nil }
      units.unify(made, bias[0])
    }
    let spatial = call.shape[(channel + 1)...].map { units.fixedAxis(of: $0) }
    return [input[..<channel] + [made] + spatial]
  }

  /// a b, with batches before the last two axes.
  static func product(
    _ a: RuleCall.Axes, _ b: RuleCall.Axes, _ units: inout UnitRelations
  ) -> RuleCall.Axes? {
    guard let inner = a.last, !b.isEmpty else { return nil }
    guard b.count > 1 else {
      units.unify(inner, b[0])
      return Array(a.dropLast())
    }
    units.unify(inner, b[b.count - 2])
    let batch = units.broadcast([Array(a.dropLast(2)), Array(b.dropLast(2))])
    return batch + a.dropLast().suffix(1) + [b[b.count - 1]]
  }

  /// Axes of one letter number the same units, be they kept or summed over.
  private static func einsum(
    _ call: inout RuleCall, _ units: inout UnitRelations
  ) -> [RuleCall.Axes]? {
    guard let operands = call.tensors("tensors"),
      let equation = call.text("equation")?.filter({ $0 != " " }), !equation.contains("."),
      let arrow = equation.firstRange(of: "->")
    else { return nil }
    let letters = equation[..<arrow.lowerBound].split(
      separator: ",", omittingEmptySubsequences: false)
    guard letters.count == operands.count else { return nil }
    var known: [Character: UnitRelations.Axis] = [:]
    for (word, axes) in zip(letters, operands) {
      guard word.count == axes.count else { return nil }
      for (letter, axis) in zip(word, axes) {
        if let other = known[letter] { units.unify(other, axis) }
        known[letter] = known[letter] ?? axis
      }
    }
    let result = equation[arrow.upperBound...].map { known[$0] }
    let axes = result.compactMap(\.self)
    return axes.count == result.count ? [axes] : nil
  }
}
