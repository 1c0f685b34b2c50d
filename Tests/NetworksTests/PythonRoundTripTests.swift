import Foundation
import TestSupport
import Testing

@testable import Networks

/// Files that go through Python's own safetensors.
@Suite struct PythonRoundTripTests {
  static let isPossible = Python.imports("numpy", "safetensors")

  @Test(
    .enabled(
      if: isPossible,
      "needs a Python with numpy and safetensors; PERMAVG_PYTHON names its interpreter"))
  func `a file comes back from Python with equal tensors and metadata`() throws {
    let file = Safetensors(
      tensors: [
        .init(name: "layers.0.weight", shape: [3, 2], floats: normals(6, seed: 1)),
        .init(name: "layers.0.bias", shape: [3], floats: [-0.0, .infinity, 0x1p-149]),
        .init(name: "whole \"numbers\" é😀\n", shape: [2, 1], integers: [.min, .max]),
        .init(name: "scalar", shape: [], floats: [7]),
        .init(name: "none", shape: [0, 4], floats: [Float]()),
        .init(
          name: "doubles", type: .float64, shape: [1], bytes: Data([1, 2, 3, 4, 5, 6, 7, 8])),
        .init(name: "half", type: .float16, shape: [2], bytes: Data([0, 0x3C, 1, 0])),
        .init(name: "bytes", type: .uint8, shape: [3], bytes: Data([1, 2, 255])),
        .init(name: "truths", type: .bool, shape: [2], bytes: Data([0, 1])),
      ],
      metadata: ["format": "pt", "text \"\\\t": "é😀\n"])
    try withTemporaryFolder { folder in
      let (sent, received) = ("\(folder)/sent.safetensors", "\(folder)/received.safetensors")
      try file.write(to: sent)
      #expect(try Python.script("roundtrip.py", sent, received).status == 0)
      let read = try Safetensors(contentsOf: received)
      #expect(read.metadata == file.metadata)
      // The order of tensors is free.
      #expect(
        read.tensors.sorted { $0.name < $1.name } == file.tensors.sorted { $0.name < $1.name })
    }
  }
}
