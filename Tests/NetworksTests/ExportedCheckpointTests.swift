import Foundation
import TestSupport
import Testing

@testable import Networks

/// Checkpoints of exported networks: names, types, tied tensors, and files in pieces.
@Suite struct ExportedCheckpointTests {
  /// A perceptron 4-3-2 with a tied third tensor and a table of whole numbers.
  private static let json = ExportedJSON.perceptron([4, 3, 2], ["a", "b"])
    .replacingOccurrences(
      of: #""tensors":[{"names":["a.weight"]"#,
      with:
        #""tensors":[\#(ExportedJSON.tensor("steps", shape: [2], kind: "buffer", type: "I64")),"#
        + #"{"names":["a.weight", "tied.weight"]"#)

  private func graph() throws -> Graph { try Graph(ExportedGraph(json: Self.json)) }

  private func tensors(_ type: Safetensors.ElementType = .float32) -> [Safetensors.Tensor] {
    [("a.bias", [3]), ("a.weight", [3, 4]), ("b.bias", [2]), ("b.weight", [2, 3])].enumerated().map
    {
      let values = normals($1.1.reduce(1, *), seed: $0).map { ($0 * 8).rounded() / 8 }
      return Safetensors.Tensor(name: $1.0, shape: $1.1, type: type, numbers: values[...])
    } + [.init(name: "steps", shape: [2], integers: [5, -6])]
  }

  @Test(arguments: [Safetensors.ElementType.float16, .bfloat16, .float32, .float64])
  func `a network is written as it was read, in the file's types and order`(
    type: Safetensors.ElementType
  ) throws {
    let file = Safetensors(tensors: tensors(type))
    let loaded = try LoadedNetwork(file, path: "a", exported: try graph())
    let plain = try LoadedNetwork(Safetensors(tensors: tensors()), path: "a", exported: try graph())
    #expect(loaded.network == plain.network)
    let again = loaded.form.checkpoint(of: loaded.network, metadata: ["k": "v"])
    #expect(again.tensors == file.tensors)
    #expect(again.metadata == ["k": "v", "format": "pt"])
  }

  @Test(arguments: ["module.", "_orig_mod.", "model.", "module._orig_mod.", "model.module."])
  func `what wrappers put before all names is seen through, and kept`(prefix: String) throws {
    let file = Safetensors(
      tensors: tensors().map {
        .init(name: prefix + $0.name, type: $0.type, shape: $0.shape, bytes: $0.bytes)
      })
    let loaded = try LoadedNetwork(file, path: "a", exported: try graph())
    #expect(loaded.form.checkpoint(of: loaded.network).tensors == file.tensors)
    #expect(loaded.tensorNames.allSatisfy { $0.hasPrefix(prefix) })
    // The same where a family finds the network.
    let perceptron = Safetensors(tensors: file.tensors.filter { !$0.name.hasSuffix("steps") })
    let own = try LoadedNetwork(perceptron, path: "a")
    #expect(own.network.graph == Graph("4-3-2"))
    #expect(own.network.parameters == loaded.network.parameters)
  }

  @Test func `of tied tensors one is enough, and all that are there are written`() throws {
    var both = tensors()
    both.append(.init(name: "tied.weight", type: .float32, shape: [3, 4], bytes: both[1].bytes))
    let loaded = try LoadedNetwork(Safetensors(tensors: both), path: "a", exported: try graph())
    var changed = loaded.network
    changed.parameters[0] = 3
    let written = loaded.form.checkpoint(of: changed)
    #expect(written["tied.weight"]?.floats?.first == 3)
    #expect(written["a.weight"]?.bytes == written["tied.weight"]?.bytes)
    var only = tensors()
    only[1] = .init(name: "tied.weight", type: .float32, shape: [3, 4], bytes: only[1].bytes)
    let other = try LoadedNetwork(Safetensors(tensors: only), path: "a", exported: try graph())
    #expect(other.network == loaded.network)
    both[5] = .init(name: "tied.weight", shape: [3, 4], floats: [Float](repeating: 1, count: 12))
    expect(both, #"tensors "a.weight" and "tied.weight" are tied in the graph of Net, and differ"#)
  }

  @Test func `a file that does not fit the graph is an error that names the tensor`() {
    let good = tensors()
    expect(
      Array(good.dropFirst()),
      #"holds no tensor "a.bias", which the graph of Net has with the shape [3]"#)
    expect(
      good + [.init(name: "c.bias", shape: [1], floats: [1])],
      #"holds the tensor "c.bias" [1], which the graph"#)
    expect(
      [.init(name: "a.bias", shape: [4], floats: [1, 2, 3, 4])] + good.dropFirst(),
      #"tensor "a.bias" has shape [4], the graph of Net needs [3]"#)
    expect(
      [.init(name: "a.bias", shape: [3], integers: [1, 2, 3])] + good.dropFirst(),
      #"tensor "a.bias" is of type I64, expected F16, BF16, F32 or F64"#)
    expect(
      [.init(name: "a.bias", shape: [3], floats: [1, .nan, 3])] + good.dropFirst(),
      #"tensor "a.bias" holds a NaN"#)
  }

  private func expect(_ tensors: [Safetensors.Tensor], _ words: String) {
    let error = #expect(throws: CheckpointError.self) {
      try LoadedNetwork(Safetensors(tensors: tensors), path: "a.safetensors", exported: try graph())
    }
    #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
  }

  @Test func `16-bit floats are rounded to the nearest, ties to even`() throws {
    let values: [Float] = [1, 1.00390625, 1.01171875, -3.1415927, 65504, 1e-7, 0]
    let bfloat = Safetensors.Tensor(name: "x", shape: [7], type: .bfloat16, numbers: values[...])
    // 1 + 2⁻⁸ lies midway between 1 and 1 + 2⁻⁷; 1 + 3·2⁻⁸ between that and 1 + 2⁻⁶.
    #expect(try #require(bfloat.numbers)[..<4] == [1, 1, 1.015625, -3.140625])
    let half = Safetensors.Tensor(name: "x", shape: [7], type: .float16, numbers: values[...])
    #expect(half.numbers == values.map { Float(Float16($0)) })
    #expect(half.numbers?[4] == 65504)
    #expect(half.bytes.count == 14)
  }

  @Test func `a checkpoint in pieces is read by its index, which must be true`() throws {
    try withTemporaryFolder { folder in
      let all = tensors()
      try Safetensors(tensors: Array(all[..<2])).write(to: "\(folder)/m-1.safetensors")
      try Safetensors(tensors: Array(all[2...])).write(to: "\(folder)/m-2.safetensors")
      let index = "\(folder)/m.safetensors.index.json"
      func write(_ map: [String: String]) throws {
        try JSONSerialization.data(withJSONObject: ["metadata": [:], "weight_map": map])
          .write(to: URL(fileURLWithPath: index))
      }
      var map: [String: String] = [:]
      for (place, tensor) in all.enumerated() {
        map[tensor.name] = place < 2 ? "m-1.safetensors" : "m-2.safetensors"
      }
      try write(map)
      #expect(try Safetensors(checkpoint: index).tensors == all)
      #expect(try Safetensors(checkpoint: "\(folder)/m-1.safetensors").tensors == Array(all[..<2]))
      func expectRefusal(_ words: String, _ change: (inout [String: String]) -> Void) throws {
        var wrong = map
        change(&wrong)
        try write(wrong)
        let error = #expect(throws: CheckpointError.self) { try Safetensors(checkpoint: index) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
      }
      try expectRefusal("does not list") { $0["steps"] = nil }
      try expectRefusal("which does not hold it") { $0["c"] = "m-1.safetensors" }
      try expectRefusal("says is in m-1.safetensors") { $0["steps"] = "m-1.safetensors" }
      try expectRefusal("expected one beside it") { $0["steps"] = "../m-2.safetensors" }
      try expectRefusal("no such file") { $0["z"] = "m-3.safetensors" }
      try write([:])
      #expect(throws: CheckpointError.self) { try Safetensors(checkpoint: index) }
    }
  }
}
