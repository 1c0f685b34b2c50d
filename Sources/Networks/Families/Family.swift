/// A kind of network by the text that names one: a short function from the text to its graph.
///
/// To add one: a file with a static property here, and its name in ``all``.
public struct Family: Sendable {
  /// How it is written, by example.
  public let syntax: String

  /// What it is, in a few words.
  public let summary: String

  /// SGD's base rate at which it trains well with the default recipe; nil for the recipe's own.
  public let learningRate: Float?

  /// Makes the graph; nil for a text that is another family's.
  private let make: @Sendable (String) throws(GraphError) -> Graph?

  /// Reads the network off a checkpoint that does not say what it is; nil for one that cannot be of the family.
  let recognize: @Sendable (Safetensors, _ path: String) throws(CheckpointError) -> RecognizedGraph?

  init(
    syntax: String, summary: String, learningRate: Float? = nil,
    make: @escaping @Sendable (String) throws(GraphError) -> Graph?,
    recognize: @escaping @Sendable (Safetensors, String) throws(CheckpointError) -> RecognizedGraph?
  ) {
    self.syntax = syntax
    self.summary = summary
    self.learningRate = learningRate
    self.make = make
    self.recognize = recognize
  }

  /// Every family; the one that recognises any names comes last.
  public static let all = [lenet5, cnn, vgg, resnet, residual, perceptron]

  /// The graph of a text; nil if the text is another family's.
  ///
  /// - Throws: ``GraphError`` if it is this family's and cannot be.
  public func graph(_ text: String) throws(GraphError) -> Graph? { try make(text) }
}

extension Graph {
  /// The family that makes the graph; nil for one of JSON.
  public var family: Family? {
    Family.all.first { (try? $0.graph(description)) == self }
  }
}

/// A graph, and what a checkpoint calls its tensors, in their order.
struct RecognizedGraph {
  let graph: Graph
  let tensorNames: [String]
}

/// Positive numbers joined by hyphens, `784-512-10`; nil if it is anything else.
func widths(_ text: Substring) -> [Int]? {
  let parts = text.split(separator: "-", omittingEmptySubsequences: false)
  let widths = parts.compactMap { width($0) }
  return widths.count == parts.count ? widths : nil
}

/// A number of units, 1 to 2²⁴, in decimal digits; nil if it is anything else.
func width(_ text: Substring) -> Int? {
  guard !text.isEmpty, text.allSatisfy({ ("0"..."9").contains($0) }), let width = Int(text),
    (1...1 << 24).contains(width)
  else { return nil }
  return width
}
