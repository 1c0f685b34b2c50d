/// The methods that a chain may name, by what they do to a merge.
public struct MethodCatalog: Sendable {
  public let families: [(name: String, methods: [MergeMethod])]

  /// A catalogue of some families.
  public init(_ families: [(name: String, methods: [MergeMethod])]) { self.families = families }

  /// Every method of this library.
  public static let standard = MethodCatalog([
    (
      "Matching: the mean of permuted members",
      [
        .naive, .weightMatching, .mergeMany, .activationMatching, .weightActivationMatching,
        .straightThrough, .c2m3,
      ]
    ),
    (
      "Learning: a mean that gradient descent finds",
      [
        .permavg, .permavgLabels, .permavgEnsemble, .permavgBoth, .harden, .unitWeights,
        .unitWeightsEnsemble, .unitWeightsBoth,
      ]
    ),
    (
      "Correction of a merged network",
      [.repair, .reset, .rescale, .restoreLengths, .refitHead, .refitHeadLabels, .leastSquares]
    ),
    ("Selection: not an average of all members", [.neuronSelection, .greedySoup]),
    ("Controls, to hold merges against", [.bestMember, .randomNetwork, .fineTune, .fineTuneBoth]),
  ])

  /// Every method, in the order they are listed in.
  public var methods: [MergeMethod] { families.flatMap(\.methods) }

  /// The method of a name.
  public subscript(name: String) -> MergeMethod? { methods.first { $0.name == name } }
}
