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
  /// Tensors named `….weight` of two dimensions must chain in just one order that keeps numbered names (`net.2` before
  /// `net.10`) in the order of their numbers, each with a `….bias` of its outputs. Other orders would chain as well and compute
  /// something else, and nothing in a file says which is meant.
  ///
  /// - Parameters:
  ///   - file: the tensors.
  ///   - path: names the file in errors.
  ///   - order: the layers from the input to the output, by name with or without `.weight`; nil to find it.
  /// - Returns: the graph, and the file's names of its tensors.
  /// - Throws: ``CheckpointError`` if the tensors are those of no perceptron, or of several.
  static func recognizePerceptron(
    _ file: Safetensors, _ path: String, order: [String]? = nil
  ) throws(CheckpointError) -> RecognizedGraph {
    let found = file.tensors.filter { $0.name.hasSuffix("weight") }
    guard !found.isEmpty else {
      throw CheckpointError(
        path,
        "holds no tensor whose name ends in \"weight\"; it has "
          + (file.tensors.isEmpty
            ? "none at all" : file.tensors.map { "\"\($0.name)\"" }.joined(separator: ", ")))
    }
    let byName = found.sorted { naturallyPrecedes($0.name, $1.name) }
    for weight in byName where weight.shape.count != 2 {
      throw CheckpointError(
        path,
        "tensor \"\(weight.name)\" has shape \(weight.shape); the weights of a dense layer are"
          + " outputs × inputs. Export a graph of the model with scripts/export_graph.py and name it with --graph"
      )
    }
    let weights: [Safetensors.Tensor]
    if let order {
      weights = try given(order, of: byName, path)
    } else {
      weights = try onlyChain(of: byName, path)
    }
    let shapes = weights.map { "\"\($0.name)\" \($0.shape)" }.joined(separator: ", ")
    var widths: [Int] = []
    for weight in weights {
      let (outputs, inputs) = (weight.shape[0], weight.shape[1])
      guard widths.last == nil || widths.last == inputs else {
        throw CheckpointError(
          path,
          "the layers do not chain: \"\(weight.name)\" takes \(inputs) inputs where the layer before"
            + " it has \(widths.last ?? 0) outputs. In "
            + (order == nil ? "the order of their names" : "the order that was given")
            + ": \(shapes)")
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
          + extra.map { "\"\($0.name)\" \($0.shape)" }.joined(separator: ", ")
          + "; export a graph of the model with scripts/export_graph.py and name it with --graph")
    }
    guard widths.allSatisfy({ $0 > 0 }), let graph = try? perceptron(widths) else {
      throw CheckpointError(path, "has layers of no width, or of too great ones: \(shapes)")
    }
    return RecognizedGraph(graph: graph, tensorNames: names)
  }

  /// The layers as the user orders them.
  private static func given(
    _ order: [String], of weights: [Safetensors.Tensor], _ path: String
  ) throws(CheckpointError) -> [Safetensors.Tensor] {
    var result: [Safetensors.Tensor] = []
    for name in order {
      guard let weight = weights.first(where: { $0.name == name || $0.name == "\(name).weight" })
      else {
        throw CheckpointError(
          path,
          "--layers names \"\(name)\", and there are "
            + weights.map { "\"\($0.name)\"" }.joined(separator: ", "))
      }
      guard !result.contains(weight) else {
        throw CheckpointError(path, "--layers names \"\(name)\" twice")
      }
      result.append(weight)
    }
    if let missing = weights.first(where: { !result.contains($0) }) {
      throw CheckpointError(path, "--layers leaves out \"\(missing.name)\"")
    }
    return result
  }

  /// The layers in the one order in which they chain; that of their names where they chain in none.
  private static func onlyChain(
    of weights: [Safetensors.Tensor], _ path: String
  ) throws(CheckpointError) -> [Safetensors.Tensor] {
    // Names that differ in their numbers alone keep the order of these.
    var series: [(form: String, weights: [Safetensors.Tensor])] = []
    for weight in weights {
      let form = weight.name.split(
        omittingEmptySubsequences: false, whereSeparator: { $0.isASCII && $0.isNumber }
      ).filter { !$0.isEmpty }.joined(separator: "#")
      if let place = series.firstIndex(where: { $0.form == form }) {
        series[place].weights.append(weight)
      } else {
        series.append((form, [weight]))
      }
    }
    var search = ChainSearch(series.map(\.weights))
    search.run()
    guard search.found.count < 2, !search.isCutShort else {
      func names(_ weights: [Safetensors.Tensor]) -> String {
        weights.map { String($0.name.dropLast($0.name.hasSuffix(".weight") ? 7 : 0)) }
          .joined(separator: ",")
      }
      throw CheckpointError(
        path,
        "its dense layers chain in several orders, "
          + search.found.map(names).joined(separator: " and ")
          + ", and their names do not say which is meant; name the layers from the input to the output with"
          + " --layers, or give the graph with --graph, which scripts/export_graph.py writes")
    }
    return search.found.first ?? weights
  }

  private static func biasName(of weight: Safetensors.Tensor) -> String {
    weight.name.dropLast("weight".count) + "bias"
  }
}

/// A search for the orders in which layers chain, each series of them in its own order.
private struct ChainSearch {
  private let series: [[Safetensors.Tensor]]
  private var next: [Int]
  private var chain: [Safetensors.Tensor] = []
  private var steps = 0

  /// The first two orders.
  private(set) var found: [[Safetensors.Tensor]] = []

  /// Whether there was too much to try.
  private(set) var isCutShort = false

  init(_ series: [[Safetensors.Tensor]]) {
    self.series = series
    next = series.map { _ in 0 }
  }

  mutating func run() {
    guard found.count < 2, !isCutShort else { return }
    steps += 1
    guard steps < 100_000 else { return isCutShort = true }
    var isWhole = true
    for index in series.indices where next[index] < series[index].count {
      isWhole = false
      let layer = series[index][next[index]]
      guard chain.last == nil || chain.last?.shape[0] == layer.shape[1] else { continue }
      chain.append(layer)
      next[index] += 1
      run()
      next[index] -= 1
      chain.removeLast()
    }
    if isWhole { found.append(chain) }
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
