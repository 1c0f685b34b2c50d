import Foundation
import TestSupport
import Testing

@testable import Networks

/// The safetensors format: what is written is read, and nothing else is.
@Suite struct SafetensorsTests {
  @Test func `what is written is read`() throws {
    let file = Safetensors(
      tensors: [
        .init(name: "floats", shape: [2, 3], floats: [1, -2, .infinity, 0x1p-149, -0.0, .pi]),
        .init(name: "", shape: [], floats: [7]),
        .init(name: "none", shape: [0, 5], floats: [Float]()),
        .init(name: "whole", shape: [2], integers: [.min, .max]),
        .init(name: "\"quoted\" \\ \n\u{1}é😀", shape: [1], floats: [1]),
      ],
      metadata: ["format": "pt", "text \"\\\t\u{0}": "é😀\u{7F}\n"])
    let read = try Safetensors(file.data, path: "memory")
    #expect(read == file)
    #expect(read["floats"]?.floats == [1, -2, .infinity, 0x1p-149, -0.0, .pi])
    #expect(read["whole"]?.integers == [.min, .max])
    #expect(read["whole"]?.floats == nil)
    #expect(read["floats"]?.integers == nil)
    #expect(read["missing"] == nil)
  }

  @Test func `the header is padded so that the tensors lie at a multiple of eight`() throws {
    for length in 0..<16 {
      let name = String(repeating: "n", count: length)
      let data = Safetensors(tensors: [.init(name: name, shape: [1], floats: [1])]).data
      #expect((data.count - 4) % 8 == 0)
      #expect(try Safetensors(data, path: "memory").tensors.map(\.name) == [name])
    }
  }

  @Test(arguments: [0, 1, 4, 5, 60])
  func `a header of any length is read`(tensors: Int) throws {
    // Among them lengths whose bytes begin as other formats do: 640 is 80 02, a pickle's start.
    for padding in 0..<700 {
      let file = Safetensors(
        tensors: (0..<tensors).map { .init(name: "t\($0)", shape: [1], floats: [Float($0)]) },
        metadata: ["padding": String(repeating: "x", count: padding)])
      #expect(try Safetensors(file.data, path: "padded by \(padding)") == file)
    }
  }

  @Test func `tensors may be described in any order, with space between everything`() throws {
    let data = assemble(
      """
       { "b" :\t{ "shape" : [ 1 ] , "data_offsets" : [ 4 , 8 ] , "dtype" : "F32" } ,\r
      "a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]} , "__metadata__" : { "k" : "\\u00e9\\ud83d\\ude00\\/" } }
      """, contents: 8)
    let file = try Safetensors(data, path: "memory")
    #expect(file.tensors.map(\.name) == ["a", "b"])
    #expect(file.metadata == ["k": "é😀/"])
  }

  @Test func `a slice of data is read as the data`() throws {
    let file = Safetensors(tensors: [.init(name: "t", shape: [2], floats: [1, 2])])
    let data = Data([1, 2, 3]) + file.data
    #expect(try Safetensors(data.dropFirst(3), path: "memory") == file)
  }

  @Test func `a file on disk is read, a missing one and a folder are errors`() throws {
    try withTemporaryFolder { folder in
      let file = Safetensors(tensors: [.init(name: "t", shape: [2], floats: [1, 2])])
      try file.write(to: "\(folder)/file.safetensors")
      #expect(try Safetensors(contentsOf: "\(folder)/file.safetensors") == file)
      #expect(throws: CheckpointError("\(folder)/other", "no such file")) {
        try Safetensors(contentsOf: "\(folder)/other")
      }
      #expect(throws: CheckpointError(folder, "is a folder, not a safetensors file")) {
        try Safetensors(contentsOf: folder)
      }
    }
  }

  @Test func `a file cut anywhere is an error that says so`() throws {
    let data = try smallFile().data
    let headerEnd = 8 + Int(data[0]) + 256 * Int(data[1])
    for length in 0..<data.count {
      let error = #expect(throws: CheckpointError.self, "cut at \(length)") {
        try Safetensors(data.prefix(length), path: "cut.safetensors")
      }
      let words =
        switch length {
        case ..<8: "is \(length) bytes long"
        case ..<headerEnd: "it is truncated"
        default: "but the file has \(length - headerEnd) bytes of data"
        }
      #expect(error?.description.hasPrefix("cut.safetensors: ") == true)
      #expect(error?.problem.contains(words) == true, "\(String(describing: error))")
    }
  }

  @Test func `no changed byte makes the reader crash or lie about sizes`() throws {
    let data = try smallFile().data
    var parsed = 0
    for position in data.indices {
      for mask in UInt8(1)...255 {
        var changed = data
        changed[position] ^= mask
        guard let file = try? Safetensors(changed, path: "changed") else { continue }
        parsed += 1
        for tensor in file.tensors {
          let size = tensor.type.size * tensor.shape.reduce(1, *)
          #expect(tensor.bytes.count == size, "byte \(position) changed by \(mask)")
        }
        _ = try? Network(file, path: "changed")
      }
    }
    // At least every change of the tensors' bytes alone can be read.
    #expect(parsed >= 255 * 8 * 4)
  }

  /// Two inputs, two hidden units and an output: 9 floats.
  private func smallFile() throws -> Safetensors {
    let graph = try #require(Graph("2-2-1"))
    return Network(graph, parameters: normals(9, seed: 1)).checkpoint()
  }
}

/// A file of a header and zeros for contents.
func assemble(_ header: String, contents: Int, length: UInt64? = nil) -> Data {
  let length = length ?? UInt64(header.utf8.count)
  return withUnsafeBytes(of: length.littleEndian) { Data($0) } + Data(header.utf8)
    + Data(count: contents)
}
