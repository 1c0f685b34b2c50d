import Foundation
import TestSupport
import Testing

@testable import Networks

/// Networks out of files, whatever program wrote them.
@Suite struct CheckpointTests {
  @Test func `a checkpoint is the network again, with its metadata`() throws {
    let network = try randomNetwork("7-5-3")
    let file = network.checkpoint(metadata: ["normalization": "0.5,0.5", "format": "mine"])
    #expect(
      file.metadata == [
        "normalization": "0.5,0.5", "format": "pt", "architecture": "7-5-3",
      ])
    #expect(
      file.tensors.map(\.name) == [
        "layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias",
      ])
    #expect(file.tensors.map(\.shape) == [[5, 7], [5], [3, 5], [3]])
    let read = try Safetensors(file.data, path: "memory")
    #expect(try Network(read, path: "memory") == network)
  }

  @Test func `a network is written under the names of the file it came from`() throws {
    let network = try randomNetwork("4-3-3-2")
    // Alphabetical, as PyTorch's safetensors writes; the block's order is another.
    let file = renamed(network, [(1, "net.10"), (2, "net.11"), (0, "net.2")])
    let loaded = try LoadedNetwork(file, path: "memory")
    let names = loaded.tensorNames
    #expect(loaded.network == network)
    #expect(
      names == [
        "net.2.weight", "net.2.bias", "net.10.weight", "net.10.bias", "net.11.weight",
        "net.11.bias",
      ])
    let written = network.checkpoint(names: names)
    #expect(try Network(written, path: "memory") == network)
    for tensor in file.tensors { #expect(written[tensor.name] == tensor) }
  }

  @Test(arguments: [
    ["layers.0", "layers.1", "layers.2"], ["0", "2", "4"], ["fc1", "fc2", "fc3"],
    ["net.2", "net.10", "net.11"], ["a.9.x", "a.10.b", "a.10.c"], ["fc", "fc1", "fd"],
    ["model.fc9", "model.fc010", "model.fc11"],
  ])
  func `the order of layers is the natural order of their names`(names: [String]) throws {
    let network = try randomNetwork("4-3-3-2")
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
      let file = renamed(network, order.map { (layer: $0, name: names[$0]) })
      #expect(try Network(file, path: "memory") == network)
    }
  }

  @Test func `twelve equal layers are put in the order of their numbers`() throws {
    let network = try randomNetwork("4-4-4-4-4-4-4-4-4-4-4-4-4")
    // PyTorch saves in alphabetical order: linears.0, linears.1, linears.10, linears.11, …
    let names = (0..<12).map { (layer: $0, name: "linears.\($0)") }.sorted { $0.name < $1.name }
    #expect(names[2].name == "linears.10")
    #expect(try Network(renamed(network, names), path: "memory") == network)
  }

  @Test func `one dense layer without a prefix is a network`() throws {
    let network = try randomNetwork("4-3")
    let file = Safetensors(tensors: [
      .init(name: "bias", shape: [3], floats: network.parameters[12...]),
      .init(name: "weight", shape: [3, 4], floats: network.parameters[..<12]),
    ])
    #expect(try Network(file, path: "memory") == network)
  }

  @Test func `natural order compares numbers as numbers`() {
    let sorted = ["", "1", "a", "a1", "a2", "a02b", "a10", "a10b", "a11", "b", "é9", "é10"]
    for (i, a) in sorted.enumerated() {
      for (j, b) in sorted.enumerated() {
        #expect(naturallyPrecedes(a, b) == (i < j), "\(a) and \(b)")
      }
    }
    // More digits than an integer holds.
    let long = String(repeating: "9", count: 30)
    #expect(naturallyPrecedes("a" + long, "a1" + long))
    #expect(!naturallyPrecedes("a1" + long, "a" + long))
  }

  @Test(
    arguments: [
      ("no tensors", [], "it has none at all"),
      ("no weights", [tensor("scale", [2])], #"ends in "weight"; it has "scale""#),
      (
        "a convolution", [tensor("conv.weight", [2, 1, 3, 3]), tensor("conv.bias", [2])],
        #""conv.weight" has shape [2, 1, 3, 3]; the weights of a dense layer are outputs × inputs"#
      ),
      ("no bias", [tensor("fc.weight", [2, 3])], #""fc.weight" has no "fc.bias" beside it"#),
      (
        "a bias of another size", [tensor("fc.weight", [2, 3]), tensor("fc.bias", [3])],
        #""fc.bias" has shape [3], "fc.weight" with 2 outputs needs [2]"#
      ),
      (
        "a bias that is a matrix", [tensor("fc.weight", [2, 3]), tensor("fc.bias", [1, 2])],
        "needs [2]"
      ),
      (
        "layers that do not chain",
        [
          tensor("a.weight", [2, 3]), tensor("a.bias", [2]), tensor("b.weight", [1, 3]),
          tensor("b.bias", [1]),
        ],
        #""b.weight" takes 3 inputs where the layer before it has 2 outputs"#
      ),
      (
        "one tensor more",
        [tensor("fc.weight", [2, 3]), tensor("fc.bias", [2]), tensor("running_mean", [2])],
        #"that no multi-layer perceptron has: "running_mean" [2]"#
      ),
      (
        "a bias more",
        [tensor("fc.weight", [2, 3]), tensor("fc.bias", [2]), tensor("head.bias", [2])],
        #"that no multi-layer perceptron has: "head.bias" [2]"#
      ),
      (
        "layers of no width", [tensor("fc.weight", [0, 3]), tensor("fc.bias", [0])],
        "has layers of no width"
      ),
      (
        "a NaN", [tensor("fc.weight", [2, 3]), tensor("fc.bias", [2], last: .nan)],
        #""fc.bias" holds a NaN or an infinity"#
      ),
      (
        "an infinity", [tensor("fc.weight", [2, 3], last: -.infinity), tensor("fc.bias", [2])],
        #""fc.weight" holds a NaN or an infinity"#
      ),
      (
        "bytes",
        [
          .init(name: "fc.weight", type: .int8, shape: [2, 3], bytes: Data(count: 6)),
          tensor("fc.bias", [2]),
        ],
        "is of type I8, expected F16, BF16, F32 or F64; save the model after model.float()"
      ),
      (
        "whole numbers in one place",
        [
          tensor("fc.weight", [2, 3]),
          .init(name: "fc.bias", type: .int64, shape: [2], bytes: Data(count: 16)),
        ],
        #""fc.bias" is of type I64, expected F16"#
      ),
      (
        "a double that no float holds",
        [
          tensor("fc.weight", [2, 3]),
          .init(
            name: "fc.bias", type: .float64, shape: [2],
            bytes: [1.0, 1e300].withUnsafeBytes { Data($0) }),
        ],
        #""fc.bias" holds a NaN or an infinity"#
      ),
    ] as [(String, [Safetensors.Tensor], String)])
  func `tensors that are no network are an error that says why`(
    what: String, tensors: [Safetensors.Tensor], words: String
  ) {
    let error = #expect(throws: CheckpointError.self, "\(what)") {
      try Network(Safetensors(tensors: tensors), path: "a.safetensors")
    }
    let text = error?.description ?? ""
    #expect(text.hasPrefix("a.safetensors: "))
    #expect(text.contains(words))
  }

  private static func tensor(
    _ name: String, _ shape: [Int], last: Float = 0
  ) -> Safetensors.Tensor {
    var floats = [Float](repeating: 0, count: shape.reduce(1, *))
    if !floats.isEmpty { floats[floats.count - 1] = last }
    return .init(name: name, shape: shape, floats: floats)
  }

  /// The network's tensors under other names, in the order given.
  private func renamed(_ network: Network, _ names: [(layer: Int, name: String)]) -> Safetensors {
    let tensors = network.checkpoint().tensors
    return Safetensors(
      tensors: names.flatMap { index, name in
        let (weight, bias) = (tensors[2 * index], tensors[2 * index + 1])
        return [
          Safetensors.Tensor(name: "\(name).bias", shape: bias.shape, floats: bias.floats ?? []),
          Safetensors.Tensor(
            name: "\(name).weight", shape: weight.shape, floats: weight.floats ?? []),
        ]
      })
  }
}
