/// The layers that texts and files may name.
public struct LayerCatalog: Sendable {
  /// One layer by its name.
  public struct Kind: Sendable {
    public let name: String

    /// How it is written, `dense(outputs)`.
    public let syntax: String

    /// Makes the layer from the text between its parentheses, nil without any; nil if that is none.
    public let make: @Sendable (_ argument: String?) -> (any Layer)?

    /// An entry.
    public init(
      _ name: String, syntax: String? = nil,
      make: @escaping @Sendable (_ argument: String?) -> (any Layer)?
    ) {
      self.name = name
      self.syntax = syntax ?? name
      self.make = make
    }
  }

  public let kinds: [Kind]

  /// A catalogue of some layers.
  public init(_ kinds: [Kind]) { self.kinds = kinds }

  /// Every layer of this library.
  public static let standard = LayerCatalog([
    Kind("dense", syntax: "dense(outputs)") { $0.flatMap { Int($0) }.map { Dense($0) } },
    Kind("relu") { $0 == nil ? ReLU() : nil },
    Kind("add") { $0 == nil ? Add() : nil },
    Kind("layernorm") { argument in
      guard let argument else { return LayerNorm() }
      guard let epsilon = Float(argument), epsilon > 0, epsilon.isFinite else { return nil }
      return LayerNorm(epsilon: epsilon)
    },
    Kind("conv2d", syntax: Conv2d.syntax) { Conv2d($0) },
    Kind("batchnorm") { argument in
      guard let argument else { return BatchNorm() }
      guard let epsilon = Float(argument), epsilon > 0, epsilon.isFinite else { return nil }
      return BatchNorm(epsilon: epsilon)
    },
    Kind("maxpool", syntax: "maxpool(window,stride=2,padding=0)") { Pooling(.largest, $0) },
    Kind("avgpool", syntax: "avgpool(window,stride=2,padding=0)") { Pooling(.mean, $0) },
    Kind("globalmean") { $0 == nil ? GlobalMean() : nil },
    Kind("flatten") { $0 == nil ? Flatten() : nil },
  ])

  /// The layer of a text; nil if there is none.
  public func layer(_ text: String) -> (any Layer)? {
    let parts = text.split(separator: "(", maxSplits: 1, omittingEmptySubsequences: false)
    guard let kind = kinds.first(where: { $0.name == parts[0] }) else { return nil }
    guard parts.count == 2 else { return kind.make(nil) }
    guard parts[1].last == ")" else { return nil }
    return kind.make(String(parts[1].dropLast()))
  }
}
