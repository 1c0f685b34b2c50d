import Foundation
import TestSupport
import Testing

@testable import Networks

/// Checkpoints of networks that are more than a chain, with and without their architecture written in them.
@Suite struct GraphCheckpointTests {
  @Test(arguments: ["residual:7-5x2-3", GraphTextTests.diamond])
  func `a checkpoint is the network again, with its architecture`(text: String) throws {
    let network = try randomNetwork(text)
    let file = network.checkpoint(metadata: ["normalization": "0.5,0.5"])
    #expect(
      file.metadata == ["normalization": "0.5,0.5", "format": "pt", "architecture": text])
    #expect(file.tensors.map(\.name) == network.graph.tensorNames)
    #expect(file.tensors.map(\.shape) == network.graph.tensors.map(\.shape))
    let loaded = try LoadedNetwork(Safetensors(file.data, path: "memory"), path: "memory")
    #expect(loaded.network == network)
    #expect(loaded.network.graph.description == text)
    #expect(loaded.tensorNames == network.graph.tensorNames)
  }

  @Test(arguments: ["residual:7-5x1-3", "residual:7-5x2-3", "residual:3-4x12-2"])
  func `a residual network is known by its tensors' names, in any order`(text: String) throws {
    let network = try randomNetwork(text)
    var file = network.checkpoint()
    file.metadata = [:]
    file.tensors.sort { $0.name < $1.name }
    let loaded = try LoadedNetwork(file, path: "memory")
    #expect(loaded.network == network)
    #expect(loaded.network.graph.description == text)
    #expect(
      loaded.network.checkpoint(names: loaded.tensorNames).tensors.count == file.tensors.count)
  }

  @Test func `a perceptron whose layers are called stem and head is one`() throws {
    let network = try randomNetwork("4-3-2")
    var file = network.checkpoint(
      names: ["head.weight", "head.bias", "stem.weight", "stem.bias"])
    file.metadata = [:]
    // In the order of their names the head comes first, and the shapes chain that way.
    #expect(try Network(file, path: "memory") == network)
  }

  @Test func `an architecture in the metadata decides between equal names`() throws {
    // The names and shapes are a perceptron's as well, which would have two ReLUs.
    let graph = try Graph(
      input: [4],
      [
        Node("layers.0", Dense(4), reads: "input"), Node("layers.1", Dense(4), reads: "layers.0"),
        Node("sum", Add(), reads: "layers.0", "layers.1"), Node("layers.2", Dense(2), reads: "sum"),
      ])
    let network = randomized(graph, seed: 1)
    #expect(try Network(network.checkpoint(), path: "memory") == network)
    var bare = network.checkpoint()
    bare.metadata = [:]
    #expect(try Network(bare, path: "memory").graph == Graph("4-4-4-2"))
  }

  @Test func `a perceptron's own architecture does not hold it to its names`() throws {
    let network = try randomNetwork("4-3-3-2")
    let names = ["2", "10", "11"].flatMap { ["net.\($0).weight", "net.\($0).bias"] }
    let file = network.checkpoint(names: names)
    #expect(file.metadata["architecture"] == "4-3-3-2")
    let loaded = try LoadedNetwork(file, path: "memory")
    #expect(loaded.network == network)
    #expect(loaded.tensorNames == names)
  }

  /// What is changed in a residual network's checkpoint, and what is said about it.
  static let broken:
    [(
      what: String, hasMetadata: Bool, change: @Sendable (inout Safetensors) -> Void, words: String
    )] =
      [
        (
          "a tensor less", true, { $0.tensors.removeAll { $0.name == "blocks.1.norm.bias" } },
          #"holds no tensor "blocks.1.norm.bias", which residual:7-5x2-3 has"#
        ),
        (
          "a tensor less, without metadata", false,
          { $0.tensors.removeAll { $0.name == "blocks.1.norm.bias" } },
          #"holds no tensor "blocks.1.norm.bias", which residual:7-5x2-3 has"#
        ),
        (
          "another shape", true, { $0.replace("blocks.0.up.weight", shape: [5, 4]) },
          #"tensor "blocks.0.up.weight" has shape [5, 4], residual:7-5x2-3 needs [5, 5]"#
        ),
        (
          "a transposed shape", true, { $0.replace("head.weight", shape: [5, 3]) },
          #"tensor "head.weight" has shape [5, 3], residual:7-5x2-3 needs [3, 5]"#
        ),
        (
          "a tensor more", true,
          { $0.tensors.append(.init(name: "ema", shape: [1, 2], floats: [1, 2])) },
          #"holds tensors that residual:7-5x2-3 does not have: "ema" [1, 2]"#
        ),
        (
          "a tensor more, without metadata", false,
          { $0.tensors.append(.init(name: "ema", shape: [1, 2], floats: [1, 2])) },
          #"holds tensors that residual:7-5x2-3 does not have: "ema" [1, 2]"#
        ),
        (
          "another architecture", true, { $0.metadata["architecture"] = "residual:7-5x3-3" },
          #"holds no tensor "blocks.2.norm.weight", which residual:7-5x3-3 has"#
        ),
        (
          "an architecture of fewer blocks", true,
          { $0.metadata["architecture"] = "residual:7-5x1-3" },
          #"holds tensors that residual:7-5x1-3 does not have: "blocks.1."#
        ),
        (
          "an unknown architecture", true, { $0.metadata["architecture"] = "resnet:20" },
          #"its metadata gives the architecture "resnet:20": "resnet:20" is no architecture"#
        ),
        (
          "an architecture that cannot be", true,
          {
            $0.metadata["architecture"] =
              #"{"input":[7],"nodes":[{"name":"a","layer":"conv(3)","inputs":["input"]}]}"#
          },
          #"node "a": there is no layer "conv(3)""#
        ),
        (
          "a NaN", true, { $0.replace("norm.weight", shape: [5], value: .nan) },
          #"tensor "norm.weight" holds a NaN or an infinity"#
        ),
      ]

  @Test(arguments: broken.indices)
  func `a residual checkpoint that does not fit is an error that says why`(index: Int) throws {
    let (what, hasMetadata, change, words) = Self.broken[index]
    var file = try randomNetwork("residual:7-5x2-3").checkpoint()
    if !hasMetadata { file.metadata = [:] }
    change(&file)
    let error = #expect(throws: CheckpointError.self, "\(what)") {
      try Network(file, path: "a.safetensors")
    }
    #expect(error?.path == "a.safetensors")
    #expect(error?.problem.contains(words) == true, "\(what): \(error?.problem ?? "")")
  }

  @Test func `no changed byte of a residual checkpoint makes the reader crash`() throws {
    let data = try randomNetwork("residual:1-1x1-1").checkpoint().data
    for position in data.indices {
      for mask in [UInt8(1), 2, 4, 8, 16, 32, 64, 128, 255] {
        var changed = data
        changed[position] ^= mask
        guard let file = try? Safetensors(changed, path: "changed") else { continue }
        _ = try? Network(file, path: "changed")
      }
    }
  }
}

extension Safetensors {
  /// Gives a tensor another shape, and one value throughout.
  fileprivate mutating func replace(_ name: String, shape: [Int], value: Float = 0) {
    tensors = tensors.map {
      $0.name == name
        ? .init(
          name: name, shape: shape, floats: Array(repeating: value, count: shape.reduce(1, *)))
        : $0
    }
  }
}
