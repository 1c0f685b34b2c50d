import TestSupport
import Testing

@testable import Networks

/// In which order dense layers of any names follow one another, and when nothing says so.
@Suite struct LayerOrderTests {
  private func file(_ layers: [(name: String, inputs: Int, outputs: Int)]) -> Safetensors {
    Safetensors(
      tensors: layers.flatMap { layer in
        [
          Safetensors.Tensor(
            name: "\(layer.name).weight", shape: [layer.outputs, layer.inputs],
            floats: normals(layer.outputs * layer.inputs, seed: layer.inputs, layer.name)),
          Safetensors.Tensor(
            name: "\(layer.name).bias", shape: [layer.outputs],
            floats: normals(layer.outputs, seed: 1, layer.name)),
        ]
      }.sorted { $0.name < $1.name })
  }

  private func chain(_ widths: [Int], _ names: [String]) -> Safetensors {
    file(names.enumerated().map { ($1, widths[$0], widths[$0 + 1]) })
  }

  private static let autoencoder = ["encoder.0", "encoder.2", "decoder.0", "decoder.2"]

  @Test func `an autoencoder, whose halves chain either way, is refused with advice`() throws {
    let file = chain([9, 5, 2, 5, 9], Self.autoencoder)
    let error = #expect(throws: CheckpointError.self) { try LoadedNetwork(file, path: "a") }
    for words in ["several orders", "encoder.0,encoder.2", "--layers", "--graph"] {
      #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }
    let loaded = try LoadedNetwork(file, path: "a", order: Self.autoencoder)
    #expect(loaded.network.graph == Graph("9-5-2-5-9"))
    #expect(loaded.tensorNames.first == "encoder.0.weight")
  }

  @Test func `words for equal layers are refused, and numbers are not`() throws {
    let words = ["fc_in", "fc_mid_one", "fc_mid_two", "fc_out"]
    let file = chain([6, 4, 4, 4, 3], words)
    #expect(throws: CheckpointError.self) { try LoadedNetwork(file, path: "a") }
    #expect(
      try LoadedNetwork(file, path: "a", order: words).tensorNames
        == words.flatMap { ["\($0).weight", "\($0).bias"] })
    let numbers = ["net.0", "net.2", "net.10"]
    #expect(
      try LoadedNetwork(chain([4, 4, 4, 4], numbers), path: "a").tensorNames
        == numbers.flatMap { ["\($0).weight", "\($0).bias"] })
  }

  @Test func `names in any order will do where the widths chain in one way`() throws {
    let names = ["stem", "body.1", "body.2", "head"]
    let loaded = try LoadedNetwork(chain([6, 4, 4, 5, 3], names), path: "a")
    #expect(loaded.tensorNames == names.flatMap { ["\($0).weight", "\($0).bias"] })
    #expect(loaded.network.graph == Graph("6-4-4-5-3"))
  }

  @Test(arguments: [
    (["a", "b"], #"leaves out "c.weight""#), (["a", "b", "c", "d"], #"names "d""#),
    (["a", "b", "b", "c"], #"names "b" twice"#), (["b", "a", "c"], "the order that was given"),
  ])
  func `an order that is not the layers' is an error`(order: [String], words: String) {
    let error = #expect(throws: CheckpointError.self) {
      try LoadedNetwork(chain([4, 3, 3, 2], ["a", "b", "c"]), path: "a", order: order)
    }
    #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
  }

  @Test func `many layers of unlike names end the search`() {
    let names = (0..<24).map { "layer" + String(repeating: "x", count: $0) }
    #expect(throws: CheckpointError.self) {
      try LoadedNetwork(chain(Array(repeating: 3, count: 25), names), path: "a")
    }
  }
}
