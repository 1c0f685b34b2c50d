extension LoadedNetwork {
  /// The network of an exported graph that a checkpoint holds.
  ///
  /// Names are compared without what wrappers put in front of all of them, on both sides. Of tied tensors one is enough.
  ///
  /// - Parameters:
  ///   - file: the tensors.
  ///   - path: names the file in errors.
  ///   - graph: a graph that was exported.
  /// - Throws: ``CheckpointError`` naming the tensor that the graph has and the file has not, or the reverse, whose shape differs,
  ///   which is of no float type, holds what is no finite 32-bit float, or is tied to another and differs from it.
  public init(
    _ file: Safetensors, path: String, exported graph: Graph
  ) throws(CheckpointError) {
    guard let exported = graph.exported else {
      preconditionFailure("\(graph) was not exported")
    }
    var places: [String: Int] = [:]
    for (place, name) in bareNames(file.tensors.map(\.name)).enumerated() { places[name] = place }
    let listed = exported.tensors.flatMap(\.names)
    let bare = Dictionary(
      zip(listed, bareNames(listed)), uniquingKeysWith: { first, _ in first })
    // The layouts stand as parameters of floats and then buffers of floats, the graph's tensors as they come.
    var layoutPlace: [String: Int] = [:]
    for (place, layout) in (graph.tensors + graph.buffers).enumerated() {
      layoutPlace[layout.name] = place
    }
    var contents: [CheckpointForm.Content?] = file.tensors.map { _ in nil }
    var numbers: [[Float]] = (graph.tensors + graph.buffers).map { _ in [] }
    var names = numbers.map { _ in "" }
    for tensor in exported.tensors {
      let found = tensor.names.compactMap { bare[$0].flatMap { places[$0] } }
      guard let first = found.first else {
        throw CheckpointError(
          path,
          "holds no tensor \"\(tensor.name)\", which the graph of \(exported.name) has with the shape"
            + " \(tensor.shape)")
      }
      for place in found {
        let own = file.tensors[place]
        guard own.shape == tensor.shape else {
          throw CheckpointError(
            path,
            "tensor \"\(own.name)\" has shape \(own.shape), the graph of \(exported.name) needs"
              + " \(tensor.shape)")
        }
        guard own.type == file.tensors[first].type, own.bytes == file.tensors[first].bytes else {
          throw CheckpointError(
            path,
            "tensors \"\(file.tensors[first].name)\" and \"\(own.name)\" are tied in the graph of"
              + " \(exported.name), and differ")
        }
      }
      guard let layout = layoutPlace[tensor.name] else {
        for place in found { contents[place] = .verbatim(file.tensors[place]) }
        continue
      }
      numbers[layout] = try Self.numbers(of: file.tensors[first], path)
      names[layout] = file.tensors[first].name
      for place in found { contents[place] = .numbers(layout) }
    }
    if let extra = contents.firstIndex(where: { $0 == nil }) {
      let more = contents.lazy.filter { $0 == nil }.count - 1
      throw CheckpointError(
        path,
        "holds the tensor \"\(file.tensors[extra].name)\" \(file.tensors[extra].shape)"
          + (more > 0 ? " and \(more) more" : "")
          + ", which the graph of \(exported.name) does not have; export the graph of the model that wrote"
          + " the file")
    }
    let border = graph.tensors.count
    self.init(
      network: Network(
        graph, parameters: Array(numbers[..<border].joined()),
        buffers: Array(numbers[border...].joined())),
      tensorNames: names,
      form: CheckpointForm(
        entries: zip(file.tensors, contents).compactMap { tensor, content in
          content.map { CheckpointForm.Entry(name: tensor.name, type: tensor.type, content: $0) }
        }))
  }

  /// A tensor's elements as finite floats.
  static func numbers(
    of tensor: Safetensors.Tensor, _ path: String
  ) throws(CheckpointError) -> [Float] {
    guard let numbers = tensor.numbers else {
      throw CheckpointError(
        path,
        "tensor \"\(tensor.name)\" is of type \(tensor.type.rawValue), expected F16, BF16, F32 or"
          + " F64; save the model after model.float()")
    }
    guard numbers.allSatisfy(\.isFinite) else {
      throw CheckpointError(path, "tensor \"\(tensor.name)\" holds a NaN or an infinity")
    }
    return numbers
  }
}
