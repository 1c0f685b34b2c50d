import Foundation
import Networks
import Testing

/// The tensors that a script under `scripts/references` wrote.
struct Fixture {
  let file: Safetensors

  init(_ name: String) throws {
    let url = try #require(
      Bundle.module.url(
        forResource: name, withExtension: "safetensors", subdirectory: "Fixtures"))
    file = try Safetensors(contentsOf: url.path)
  }

  func floats(_ name: String) throws -> [Float] {
    try #require(file[name]?.floats, "no floats \"\(name)\"")
  }

  func doubles(_ name: String) throws -> [Double] {
    try #require(file[name]?.doubles, "no doubles \"\(name)\"")
  }

  func integers(_ name: String) throws -> [Int] {
    try #require(file[name]?.integers, "no integers \"\(name)\"")
  }

  /// A block of parameters, from tensors named as the architecture's with a prefix.
  func parameters(_ architecture: Architecture, prefix: String = "") throws -> [Float] {
    try architecture.tensors.flatMap { try floats(prefix + $0.name) }
  }
}

/// The largest difference of two arrays, element by element; infinity if their lengths differ.
func largestDifference(_ a: some Collection<Float>, _ b: some Collection<Float>) -> Float {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).reduce(0) {
    let difference = abs($1.0 - $1.1)
    return difference.isNaN ? .infinity : max($0, difference)
  }
}

/// Numbers of the standard normal distribution.
func normals(_ count: Int, seed: Int, _ purpose: String = "test") -> [Float] {
  var random = RandomStream(seed: UInt64(seed), purpose)
  return (0..<count).map { _ in random.normal() }
}
