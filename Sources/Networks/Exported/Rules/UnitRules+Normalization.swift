extension UnitRules {
  /// Normalisations: their vectors are numbered as the channels that they scale.
  static let normalization: [String: UnitRule] = same(
    """
    batch_norm native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training instance_norm \
    cudnn_batch_norm _batch_norm_with_update _batch_norm_no_update
    """
  ) { call, units in
    guard let input = call.tensor("input"), input.count > 1 else { return nil }
    for name in ["weight", "bias", "running_mean", "running_var"] {
      guard let vector = call.tensor(name) else { continue }
      guard vector.count == 1 else { return nil }
      units.unify(input[1], vector[0])
    }
    return outputs(input, &call, &units)
  }
  .merging(
    // The mean over axes does not depend on their order.
    same("layer_norm native_layer_norm rms_norm _fused_rms_norm") { call, units in
      guard let input = call.tensor("input"), let shape = call.integers("normalized_shape"),
        shape.count <= input.count
      else { return nil }
      let own = input.suffix(shape.count)
      for name in ["weight", "bias"] {
        guard let vector = call.tensor(name) else { continue }
        guard vector.count == own.count else { return nil }
        for (a, b) in zip(own, vector) { units.unify(a, b) }
      }
      return outputs(input, &call, &units)
    }
  ) { $1 }
  .merging(
    // Channels are (groups × own), and each group has its own mean.
    same("group_norm native_group_norm") { call, units in
      guard let input = call.tensor("input"), input.count > 1,
        let groups = call.integer("num_groups") ?? call.integer("group"), groups > 0
      else { return nil }
      let channels = units.size(of: input[1])
      guard channels.isMultiple(of: groups) else { return nil }
      let parts = [units.axis(of: groups), units.axis(of: channels / groups)]
      guard let product = units.product(parts) else { return nil }
      units.unify(input[1], product)
      for name in ["weight", "bias"] {
        guard let vector = call.tensor(name) else { continue }
        guard vector.count == 1 else { return nil }
        units.unify(product, vector[0])
      }
      return outputs(input, &call, &units)
    }
  ) { $1 }

  /// The normalised value, and statistics that nobody reads in evaluation.
  private static func outputs(
    _ input: RuleCall.Axes, _ call: inout RuleCall, _ units: inout UnitRelations
  ) -> [RuleCall.Axes] {
    [input]
      + call.node.shapes.dropFirst().map { shape in shape.map { units.fixedAxis(of: $0) } }
  }
}
