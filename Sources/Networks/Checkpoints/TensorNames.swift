/// What wrappers put in front of the names of a state dict.
private let wrappers = ["module.", "_orig_mod.", "model."]

/// Names without what wrappers put in front of all of them: `module.` of DistributedDataParallel, `_orig_mod.` of
/// `torch.compile`, `model.` of Lightning and others.
///
/// - Returns: the bare names, in the same order.
func bareNames(_ names: [String]) -> [String] {
  // A part of a model may be compiled alone, so this one may stand anywhere.
  var result = names.map { $0.replacing("_orig_mod.", with: "") }
  while let wrapper = wrappers.first(where: { wrapper in
    !result.isEmpty && result.allSatisfy { $0.hasPrefix(wrapper) && $0.count > wrapper.count }
  }) {
    result = result.map { String($0.dropFirst(wrapper.count)) }
  }
  return result
}
