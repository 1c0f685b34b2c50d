import Foundation
import Testing

@testable import Datasets

/// How bytes become inputs.
@Suite struct NormalizationTests {
  @Test(arguments: ["0.5,0.5", "0.286,0.353", "0.0,1.0"])
  func `a byte becomes its distance from the mean in deviations`(text: String) throws {
    let normalization = try #require(Normalization(text))
    let set = try Dataset(
      name: "bytes", pixels: Array(0...255), labels: [0], shape: ImageShape(height: 16, width: 16),
      classes: 1)
    for isFlipped in [false, true] {
      var inputs = [Float](repeating: .nan, count: 512)
      let images = Images(set, normalization: normalization)
      images.write(0..<1, isFlipped: { _ in isFlipped }, into: &inputs)
      #expect(inputs.suffix(256).allSatisfy { $0.isNaN })
      for byte in 0...255 {
        let place = isFlipped ? byte / 16 * 16 + 15 - byte % 16 : byte
        let exact =
          (Double(byte) / 255 - Double(normalization.mean)) / Double(normalization.deviation)
        #expect(abs(Double(inputs[place]) - exact) < 1e-6)
      }
    }
  }

  @Test func `the thesis' normalisation goes from −1 to 1`() throws {
    #expect(Normalization("0.5,0.5") == .symmetric)
    let set = try Dataset(
      name: "two", pixels: [0, 255], labels: [0], shape: ImageShape(height: 1, width: 2), classes: 1
    )
    var inputs: [Float] = [0, 0]
    Images(set, normalization: .symmetric).write(0..<1, into: &inputs)
    #expect(abs(inputs[0] + 1) < 1e-6 && abs(inputs[1] - 1) < 1e-6)
  }

  @Test func `a normalisation is its text, in JSON too`() throws {
    let normalization = try #require(Normalization("0.286,0.353"))
    #expect(normalization.description == "0.286,0.353")
    #expect(Normalization(normalization.description) == normalization)
    let json = try JSONEncoder().encode([normalization])
    #expect(String(decoding: json, as: UTF8.self) == #"["0.286,0.353"]"#)
    #expect(try JSONDecoder().decode([Normalization].self, from: json) == [normalization])
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode([Normalization].self, from: Data(#"["0.5"]"#.utf8))
    }
  }

  @Test(arguments: [
    "", "0.5", "0.5,", "0.5,,0.5", "0.5,0", "0.5,-1", "nan,1", "0.5,inf", "0.5,nan", "0.5,0.5,0.5",
    "a,b",
    "0.5;0.5",
  ])
  func `a text that is no normalisation is none`(text: String) {
    #expect(Normalization(text) == nil)
  }
}
