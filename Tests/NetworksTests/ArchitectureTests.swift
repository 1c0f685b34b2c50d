import Foundation
import Testing

@testable import Networks

/// Architectures as texts, and where the tensors of a network lie.
@Suite struct ArchitectureTests {
  @Test(arguments: [
    ("784-512-10", [784, 512, 10]), ("2-1", [2, 1]), ("16777216-1", [1 << 24, 1]),
    ("784-512-256-128-10", [784, 512, 256, 128, 10]),
  ])
  func `a text of widths is an architecture`(text: String, widths: [Int]) throws {
    let architecture = try #require(Architecture(text))
    #expect(architecture.widths == widths)
    #expect(architecture.description == text)
    #expect(architecture.inputs == widths.first)
    #expect(architecture.outputs == widths.last)
    #expect(Array(architecture.hiddenWidths) == Array(widths.dropFirst().dropLast()))
    #expect(Architecture(widths: widths) == architecture)
  }

  @Test(arguments: [
    "", "784", "-", "784-", "-784-10", "784--10", "784-0-10", "784-a-10", "784 -10", "784x512x10",
    "784-512.5-10", "784-+5-10", "16777217-10", "99999999999999999999-10", "784-−5-10",
  ])
  func `a text that is no architecture is none`(text: String) {
    #expect(Architecture(text) == nil)
  }

  @Test(arguments: ["3-2", "784-512-10", "5-4-3-2-1"])
  func `the tensors tile the block of parameters`(text: String) throws {
    let architecture = try #require(Architecture(text))
    var end = 0
    for (index, tensor) in architecture.tensors.enumerated() {
      #expect(tensor.range.lowerBound == end)
      #expect(tensor.range.count == tensor.shape.reduce(1, *))
      #expect(tensor.name == "layers.\(index / 2).\(index % 2 == 0 ? "weight" : "bias")")
      end = tensor.range.upperBound
    }
    #expect(end == architecture.parameterCount)
    #expect(
      architecture.parameterCount
        == zip(architecture.widths, architecture.widths.dropFirst()).reduce(0) {
          $0 + ($1.0 + 1) * $1.1
        })
    for (layer, widths) in zip(
      architecture.layers, zip(architecture.widths, architecture.widths.dropFirst()))
    {
      #expect((layer.inputs, layer.outputs) == widths)
    }
  }

  @Test func `an architecture is its text in JSON`() throws {
    let architecture = try #require(Architecture("784-512-10"))
    let json = try JSONEncoder().encode([architecture])
    #expect(String(decoding: json, as: UTF8.self) == #"["784-512-10"]"#)
    #expect(try JSONDecoder().decode([Architecture].self, from: json) == [architecture])
    let error = #expect(throws: DecodingError.self) {
      try JSONDecoder().decode([Architecture].self, from: Data(#"["784"]"#.utf8))
    }
    #expect("\(String(describing: error))".contains("784-512-10"))
  }

  @Test func `parameters of another count are a precondition failure`() async {
    await #expect(processExitsWith: .failure) {
      if let architecture = Architecture("2-1") { _ = Network(architecture, parameters: [1, 2]) }
    }
  }
}
