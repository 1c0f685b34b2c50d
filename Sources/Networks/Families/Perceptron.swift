extension Family {
  /// Multi-layer perceptrons: dense layers with a ReLU between each two, `784-512-10`.
  ///
  /// The layers are called `layers.0`, `layers.1`, …
  public static let perceptron = Family(
    syntax: "784-512-10", summary: "widths from the input to the output, with ReLU between"
  ) { (text) throws(GraphError) in
    guard let widths = widths(text[...]), widths.count >= 2 else { return nil }
    return try perceptron(widths)
  } recognize: { (file, path) throws(CheckpointError) in
    try recognizePerceptron(file, path)
  }

  private static func perceptron(_ widths: [Int]) throws(GraphError) -> Graph {
    var nodes: [Node] = []
    var last = Graph.inputName
    for (layer, width) in widths.dropFirst().enumerated() {
      if layer > 0 {
        nodes.append(Node("relu.\(layer - 1)", ReLU(), reads: last))
        last = "relu.\(layer - 1)"
      }
      nodes.append(Node("layers.\(layer)", Dense(width), reads: last))
      last = "layers.\(layer)"
    }
    return try Graph(
      input: [widths[0]], nodes, familyText: widths.map(String.init).joined(separator: "-"))
  }

  /// The perceptron that tensors of any names make.
  ///
  /// Tensors named `….weight` of two dimensions, taken in natural order of their names (`net.2` before `net.10`), must chain,
  /// each with a `….bias` of its outputs.
  private static func recognizePerceptron(
    _ file: Safetensors, _ path: String
  ) throws(CheckpointError) -> RecognizedGraph {
    let weights = file.tensors.filter { $0.name.hasSuffix("weight") }
      .sorted { naturallyPrecedes($0.name, $1.name) }
    guard !weights.isEmpty else {
      throw CheckpointError(
        path,
        "holds no tensor whose name ends in \"weight\"; it has "
          + (file.tensors.isEmpty
            ? "none at all" : file.tensors.map { "\"\($0.name)\"" }.joined(separator: ", ")))
    }
    let shapes = weights.map { "\"\($0.name)\" \($0.shape)" }.joined(separator: ", ")
    var widths: [Int] = []
    for weight in weights {
      guard weight.shape.count == 2 else {
        throw CheckpointError(
          path,
          "tensor \"\(weight.name)\" has shape \(weight.shape); the weights of a dense layer are"
            + " outputs × inputs")
      }
      let (outputs, inputs) = (weight.shape[0], weight.shape[1])
      guard widths.last == nil || widths.last == inputs else {
        throw CheckpointError(
          path,
          "the layers do not chain: \"\(weight.name)\" takes \(inputs) inputs where the layer before"
            + " it has \(widths.last ?? 0) outputs. In the order of their names: \(shapes)")
      }
      guard let bias = file[biasName(of: weight)] else {
        throw CheckpointError(
          path, "tensor \"\(weight.name)\" has no \"\(biasName(of: weight))\" beside it")
      }
      guard bias.shape == [outputs] else {
        throw CheckpointError(
          path,
          "tensor \"\(bias.name)\" has shape \(bias.shape), \"\(weight.name)\" with \(outputs) outputs"
            + " needs [\(outputs)]")
      }
      widths += widths.isEmpty ? [inputs, outputs] : [outputs]
    }
    let names = weights.flatMap { [$0.name, biasName(of: $0)] }
    let extra = file.tensors.filter { !names.contains($0.name) }
    guard extra.isEmpty else {
      throw CheckpointError(
        path,
        "holds tensors that no multi-layer perceptron has: "
          + extra.map { "\"\($0.name)\" \($0.shape)" }.joined(separator: ", "))
    }
    guard widths.allSatisfy({ $0 > 0 }), let graph = try? perceptron(widths) else {
      throw CheckpointError(path, "has layers of no width, or of too great ones: \(shapes)")
    }
    return RecognizedGraph(graph: graph, tensorNames: names)
  }

  private static func biasName(of weight: Safetensors.Tensor) -> String {
    weight.name.dropLast("weight".count) + "bias"
  }
}

/// Whether `a` comes before `b` when runs of digits are compared as numbers.
func naturallyPrecedes(_ a: String, _ b: String) -> Bool {
  var (a, b) = (a[...], b[...])
  while let first = a.first, let second = b.first {
    if first.isASCII, first.isNumber, second.isASCII, second.isNumber {
      let (left, right) = (a.prefix { $0.isNumber }, b.prefix { $0.isNumber })
      let (x, y) = (left.drop { $0 == "0" }, right.drop { $0 == "0" })
      if x != y { return x.count == y.count ? x < y : x.count < y.count }
      a = a.dropFirst(left.count)
      b = b.dropFirst(right.count)
    } else if first != second {
      return first < second
    } else {
      a.removeFirst()
      b.removeFirst()
    }
  }
  return a.isEmpty && !b.isEmpty
}
