/// Inputs of a network, wherever they come from.
public protocol Samples: Sendable {
  var count: Int { get }

  /// How many numbers a sample has.
  var features: Int { get }

  /// Writes some samples row by row; `inputs` has room for at least as many.
  func write(_ samples: Range<Int>, into inputs: inout [Float])

  /// The class of each sample; empty where there are none.
  var labels: [Int] { get }

  /// The same samples as augmentation may show them, each as likely as another: the samples themselves, and perhaps their
  /// mirror images.
  var views: [any Samples] { get }
}

extension Samples {
  public var views: [any Samples] { [self] }
}

/// Samples in memory, row by row.
public struct SamplesInMemory: Samples {
  private let inputs: [Float]
  public let features: Int
  public let labels: [Int]

  /// Samples × features; anything else is a precondition failure.
  public init(_ inputs: [Float], labels: [Int] = [], features: Int) {
    precondition(inputs.count.isMultiple(of: features))
    precondition(labels.isEmpty || labels.count * features == inputs.count)
    self.labels = labels
    self.inputs = inputs
    self.features = features
  }

  public var count: Int { inputs.count / features }

  public func write(_ samples: Range<Int>, into out: inout [Float]) {
    out.replaceSubrange(
      0..<samples.count * features,
      with: inputs[samples.lowerBound * features..<samples.upperBound * features])
  }
}
