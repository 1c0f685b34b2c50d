extension UnitRules {
  /// What is computed entry by entry, and units pass: their axes are unified, with broadcasting.
  static let elementwise: [String: UnitRule] = same(
    """
    relu relu6 gelu silu sigmoid tanh hardtanh hardswish hardsigmoid leaky_relu elu selu celu mish softplus softsign \
    softshrink hardshrink tanhshrink threshold rrelu log_sigmoid logsigmoid erf erfc exp exp2 expm1 log log2 log10 log1p \
    sqrt rsqrt square abs neg negative sign sgn reciprocal floor ceil round trunc frac sin cos tan asin acos atan sinh \
    cosh asinh acosh atanh clamp clamp_min clamp_max clip pow nan_to_num isnan isinf isfinite logical_not bitwise_not \
    add sub subtract mul multiply div divide true_divide floor_divide fmod remainder maximum minimum fmax fmin atan2 \
    hypot rsub xlogy where masked_fill lerp addcmul addcdiv eq ne lt le gt ge less less_equal greater greater_equal \
    logical_and logical_or logical_xor bitwise_and bitwise_or \
    dropout dropout1d dropout2d dropout3d feature_dropout alpha_dropout \
    clone contiguous detach to _to_copy type_as alias lift lift_fresh lift_fresh_copy positive \
    float double half bfloat16 zero fill
    """
  ) { call, units in [units.broadcast(call.everything())] }
  .merging(
    same("prelu") { call, units in
      guard let input = call.tensor("self"), let weight = call.tensor("weight") else { return nil }
      if weight.count == 1, units.size(of: weight[0]) > 1 {
        guard input.count > 1 else { return nil }
        units.unify(weight[0], input[1])
      }
      return [input]
    }
  ) { $1 }
  .merging(
    // Two halves of an axis, of which one gates the other.
    same("glu") { call, units in
      guard var axes = call.tensor("self"),
        let dim = call.dimension("dim", of: axes.count, default: -1)
      else { return nil }
      let half = units.axis(of: units.size(of: axes[dim]) / 2)
      units.unify(axes[dim], half + half)
      axes[dim] = half
      return [axes]
    }
  ) { $1 }
  .merging(
    // Equivariant: reordered entries have reordered shares.
    same("softmax _softmax log_softmax _log_softmax softmin") { call, units in
      call.tensor("self").map { [$0] }
    }
  ) { $1 }

  /// Values that are the same all over, so that any order is one, and those that number places.
  static let constants: [String: UnitRule] = same(
    "zeros ones full zeros_like ones_like full_like new_zeros new_ones new_full scalar_tensor"
  ) { call, units in
    _ = call.everything()
    return [call.shape.map { units.axis(of: $0) }]
  }
  .merging(
    same("arange linspace eye tensor lift_constant") { call, units in
      _ = call.everything()
      return [call.shape.map { units.fixedAxis(of: $0) }]
    }
  ) { $1 }
  .merging(
    same("_assert_tensor_metadata _assert_async _assert_scalar sym_size sym_constrain_range") {
      call, units in
      _ = call.everything()
      return call.node.shapes.map { $0.map { units.fixedAxis(of: $0) } }
    }
  ) { $1 }
}
