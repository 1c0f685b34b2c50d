import Foundation

extension Network {
  /// The network as a safetensors file that PyTorch opens by `load_state_dict`.
  ///
  /// The tensors are `layers.0.weight` (outputs × inputs), `layers.0.bias`, and so on.
  ///
  /// - Parameters:
  ///   - metadata: texts to keep with it; `format` and `architecture` are added.
  ///   - names: other names of the tensors, in the order of ``Architecture/tensors``.
  /// - Returns: the file, in memory.
  public func checkpoint(
    metadata: [String: String] = [:], names: [String]? = nil
  ) -> Safetensors {
    var all = metadata
    all["format"] = "pt"
    all["architecture"] = architecture.description
    let tensors = architecture.tensors
    let names = names ?? tensors.map(\.name)
    precondition(names.count == tensors.count, "\(names) for the tensors of \(architecture)")
    return Safetensors(
      tensors: zip(names, tensors).map { name, tensor in
        Safetensors.Tensor(name: name, shape: tensor.shape, floats: parameters[tensor.range])
      },
      metadata: all)
  }

  /// The names that a checkpoint gives the tensors of the network it holds, in the order of
  /// ``Architecture/tensors``.
  public static func tensorNames(in file: Safetensors) -> [String] {
    weights(in: file).flatMap { [$0.name, biasName(of: $0)] }
  }

  /// The tensors of weights in the order of the layers.
  private static func weights(in file: Safetensors) -> [Safetensors.Tensor] {
    file.tensors.filter { $0.name.hasSuffix("weight") }
      .sorted { naturallyPrecedes($0.name, $1.name) }
  }

  private static func biasName(of weight: Safetensors.Tensor) -> String {
    weight.name.dropLast("weight".count) + "bias"
  }

  /// The network that a checkpoint holds, whatever program wrote it.
  ///
  /// The architecture is inferred: tensors named `….weight` of two dimensions, taken in natural order
  /// of their names (`net.2` before `net.10`), must chain, each with a `….bias` of its outputs.
  ///
  /// - Parameters:
  ///   - file: the tensors.
  ///   - path: names the file in errors.
  /// - Throws: ``CheckpointError`` if the tensors are not those of one multi-layer perceptron, are of
  ///   another element type than F32, or hold a NaN or an infinity.
  public init(_ file: Safetensors, path: String) throws(CheckpointError) {
    let weights = Self.weights(in: file)
    guard !weights.isEmpty else {
      throw CheckpointError(
        path,
        "holds no tensor whose name ends in \"weight\"; it has "
          + (file.tensors.isEmpty
            ? "none at all" : file.tensors.map { "\"\($0.name)\"" }.joined(separator: ", ")))
    }
    let shapes = weights.map { "\"\($0.name)\" \($0.shape)" }.joined(separator: ", ")
    var widths: [Int] = []
    var parameters: [Float] = []
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
      let biasName = Self.biasName(of: weight)
      guard let bias = file[biasName] else {
        throw CheckpointError(
          path, "tensor \"\(weight.name)\" has no \"\(biasName)\" beside it")
      }
      guard bias.shape == [outputs] else {
        throw CheckpointError(
          path,
          "tensor \"\(biasName)\" has shape \(bias.shape), \"\(weight.name)\" with \(outputs) outputs"
            + " needs [\(outputs)]")
      }
      for tensor in [weight, bias] {
        guard let floats = tensor.floats else {
          throw CheckpointError(
            path,
            "tensor \"\(tensor.name)\" is of type \(tensor.type.rawValue), expected F32; save the"
              + " model after model.float()")
        }
        guard floats.allSatisfy(\.isFinite) else {
          throw CheckpointError(path, "tensor \"\(tensor.name)\" holds a NaN or an infinity")
        }
        parameters += floats
      }
      widths += widths.isEmpty ? [inputs, outputs] : [outputs]
    }
    let used = 2 * weights.count
    guard used == file.tensors.count else {
      let extra = file.tensors.filter { tensor in
        !tensor.name.hasSuffix("weight")
          && !weights.contains { Self.biasName(of: $0) == tensor.name }
      }
      throw CheckpointError(
        path,
        "holds tensors that no multi-layer perceptron has: "
          + extra.map { "\"\($0.name)\" \($0.shape)" }.joined(separator: ", "))
    }
    guard let architecture = Architecture(widths: widths) else {
      throw CheckpointError(path, "has layers of no width: \(shapes)")
    }
    self.init(architecture, parameters: parameters)
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
