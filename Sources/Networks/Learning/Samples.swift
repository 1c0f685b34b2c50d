/// Inputs of a network, wherever they come from.
public protocol Samples: Sendable {
  var count: Int { get }

  /// How many numbers a sample has.
  var features: Int { get }

  /// Writes some samples row by row; `inputs` has room for at least as many.
  func write(_ samples: Range<Int>, into inputs: inout [Float])
}

/// Samples in memory, row by row.
public struct SamplesInMemory: Samples {
  private let inputs: [Float]
  public let features: Int

  /// Samples × features; anything else is a precondition failure.
  public init(_ inputs: [Float], features: Int) {
    precondition(inputs.count.isMultiple(of: features))
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
