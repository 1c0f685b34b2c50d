/// What a convolutional family's text says after its name: `:3x32x32-10`, an image's channels, height and width, and how
/// many classes; Fashion-MNIST's where nothing is said.
struct ImageText {
  let image: Shape
  let classes: Int

  private static let usual = (image: [1, 28, 28], classes: 10)

  /// The text behind the name: nothing for the usual images.
  var description: String {
    (image, classes) == Self.usual
      ? "" : ":\(image.map(String.init).joined(separator: "x"))-\(classes)"
  }

  init(_ image: Shape, _ classes: Int) { (self.image, self.classes) = (image, classes) }

  /// Splits a text where it starts with a family's name; nil if it is no such text.
  ///
  /// - Parameters:
  ///   - text: `lenet5:1x28x28-10`.
  ///   - isName: whether what stands before the colon is one of the family's.
  /// - Returns: the name, and what the text says of images.
  /// - Throws: ``GraphError`` if the name is the family's and the rest says nothing of images.
  static func split(
    _ text: String, where isName: (String) -> Bool
  ) throws(GraphError) -> (name: String, images: ImageText)? {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let name = String(parts[0])
    guard isName(name) else { return nil }
    guard parts.count == 2 else { return (name, ImageText(usual.image, usual.classes)) }
    let sides = parts[1].split(separator: "-", omittingEmptySubsequences: false)
    let image =
      sides.count == 2
      ? sides[0].split(separator: "x", omittingEmptySubsequences: false).compactMap { width($0) }
      : []
    guard image.count == 3, image.map(String.init).joined(separator: "x") == sides[0],
      let classes = width(sides[1])
    else {
      throw GraphError(
        nil, "\"\(text)\": expected \(name):CHANNELSxHEIGHTxWIDTH-CLASSES, as \(name):3x32x32-10")
    }
    return (name, ImageText(image, classes))
  }

  /// The graph of a family whose tensors a file has, looking for the side of the images it was made for.
  ///
  /// - Parameters:
  ///   - file: the tensors.
  ///   - first: the first layer's weights, outputs × channels × …
  ///   - head: the last layer's, classes × …
  ///   - name: the family's name for it.
  /// - Returns: the graph; nil if the file's tensors are not its.
  static func recognize(
    _ file: Safetensors, first: String, head: String, name: String
  ) -> RecognizedGraph? {
    guard let stem = file[first]?.shape, stem.count == 4, let last = file[head]?.shape,
      last.count == 2
    else { return nil }
    let sides = stem[1] == 1 ? [28, 32] : [32, 28]
    for side in sides + [64, 96, 128, 160, 224] {
      let text = ImageText([stem[1], side, side], last[0]).description
      guard let graph = Graph(name + text),
        (graph.tensors + graph.buffers).allSatisfy({ file[$0.name]?.shape == $0.shape })
      else { continue }
      return RecognizedGraph(graph: graph, tensorNames: graph.tensorNames)
    }
    return nil
  }
}

extension Graph {
  /// The graph of the same text for other images, where the text says nothing of images; else the graph.
  ///
  ///     Graph("resnet20")?.ofUsualImages(resizedTo: [3, 32, 32], classes: 100)      // resnet20:3x32x32-100
  ///
  /// - Parameters:
  ///   - image: channels, height and width.
  ///   - classes: how many outputs.
  /// - Returns: a graph of the same family.
  public func ofUsualImages(resizedTo image: Shape, classes: Int) -> Graph {
    let text = description
    guard inputShape.count == 3, family != nil, !text.contains(":"), !text.contains("{") else {
      return self
    }
    return Graph(text + ImageText(image, classes).description) ?? self
  }
}

private func == (
  a: (image: Shape, classes: Int), b: (image: Shape, classes: Int)
) -> Bool { a.image == b.image && a.classes == b.classes }

/// Nodes one behind the other.
struct Chain {
  private(set) var nodes: [Node] = []
  private(set) var last = Graph.inputName

  /// Adds a node that reads the last one.
  mutating func add(_ name: String, _ layer: any Layer) {
    nodes.append(Node(name, layer, reads: last))
    last = name
  }

  /// Adds a node that reads others.
  mutating func add(_ name: String, _ layer: any Layer, reads inputs: String...) {
    nodes.append(Node(name, layer, reads: inputs))
    last = name
  }
}
