/// The shape of a multi-layer perceptron: the widths of its input, hidden layers and output.
///
/// Written as the widths joined by hyphens, `784-512-10`. Every hidden layer is followed by a ReLU;
/// the outputs are logits.
public struct Architecture: Hashable, Sendable, LosslessStringConvertible {
  /// The widths from the input to the output, at least two of them.
  public let widths: [Int]

  /// An architecture of the given widths, or nil unless there are at least two and all are positive.
  public init?(widths: [Int]) {
    guard widths.count >= 2, widths.allSatisfy({ $0 > 0 && $0 <= 1 << 24 }) else { return nil }
    self.widths = widths
  }

  /// The architecture that a text such as `784-512-512-10` names, or nil.
  public init?(_ description: String) {
    let parts = description.split(separator: "-", omittingEmptySubsequences: false)
    let widths = parts.compactMap { part in
      part.allSatisfy { ("0"..."9").contains($0) } ? Int(part) : nil
    }
    guard widths.count == parts.count else { return nil }
    self.init(widths: widths)
  }

  public var description: String { widths.map(String.init).joined(separator: "-") }

  public var inputs: Int { widths[0] }
  public var outputs: Int { widths[widths.count - 1] }

  /// The widths of the hidden layers alone.
  public var hiddenWidths: ArraySlice<Int> { widths.dropFirst().dropLast() }

  /// The dense layers in order; layer l maps `widths[l]` inputs to `widths[l + 1]` outputs.
  public var layers: [DenseLayer] {
    var offset = 0
    return (0..<widths.count - 1).map { index in
      let layer = DenseLayer(
        index: index, inputs: widths[index], outputs: widths[index + 1], offset: offset)
      offset += layer.parameterCount
      return layer
    }
  }

  /// How many parameters a network of this shape has.
  public var parameterCount: Int { layers.reduce(0) { $0 + $1.parameterCount } }

  /// The named tensors of the parameter block, in order; PyTorch's names and layout.
  public var tensors: [TensorLayout] {
    layers.flatMap { layer in
      [
        TensorLayout(
          name: "layers.\(layer.index).weight", shape: [layer.outputs, layer.inputs],
          dimensions: [layer.index + 1, layer.index], range: layer.weights),
        TensorLayout(
          name: "layers.\(layer.index).bias", shape: [layer.outputs],
          dimensions: [layer.index + 1], range: layer.biases),
      ]
    }
  }
}

extension Architecture: Codable {
  public init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let value = Architecture(text) else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription: "\"\(text)\" is not an architecture such as 784-512-10"))
    }
    self = value
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// One dense layer, z = W h + b, and where its parameters lie in the network's block.
public struct DenseLayer: Hashable, Sendable {
  public let index: Int
  public let inputs: Int
  public let outputs: Int

  /// Where the layer's parameters start: the weights (outputs × inputs, row by row), then the biases.
  public let offset: Int

  public var weights: Range<Int> { offset..<offset + inputs * outputs }
  public var biases: Range<Int> { weights.upperBound..<weights.upperBound + outputs }
  public var parameterCount: Int { outputs * (inputs + 1) }
}

/// A named tensor in a network's block of parameters.
public struct TensorLayout: Hashable, Sendable {
  public let name: String
  public let shape: [Int]

  /// Which of the architecture's widths each axis runs over: two axes of one dimension number the same units.
  public let dimensions: [Int]
  public let range: Range<Int>
}
