import Foundation
import Networks
import Tensors
import Testing

/// The tensors that a script under `scripts/references` wrote.
public struct Fixture {
  public let file: Safetensors

  /// Reads `Fixtures/<name>.safetensors` beside the test that asks.
  public init(_ name: String, test: String = #filePath) throws {
    let folder = URL(fileURLWithPath: test).deletingLastPathComponent().path
    file = try Safetensors(contentsOf: "\(folder)/Fixtures/\(name).safetensors")
  }

  public func floats(_ name: String) throws -> [Float] {
    try #require(file[name]?.floats, "no floats \"\(name)\"")
  }

  public func doubles(_ name: String) throws -> [Double] {
    try #require(file[name]?.doubles, "no doubles \"\(name)\"")
  }

  public func integers(_ name: String) throws -> [Int] {
    try #require(file[name]?.integers, "no integers \"\(name)\"")
  }

  /// A block of parameters, from tensors named as the graph's with a prefix.
  public func parameters(_ graph: Graph, prefix: String = "") throws -> [Float] {
    try graph.tensors.flatMap { try floats(prefix + $0.name) }
  }
}

/// The largest difference of two arrays, element by element; infinity if their lengths differ.
public func largestDifference(_ a: some Collection<Float>, _ b: some Collection<Float>) -> Float {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).reduce(0) {
    let difference = abs($1.0 - $1.1)
    return difference.isNaN ? .infinity : max($0, difference)
  }
}

/// Numbers of the standard normal distribution.
public func normals(_ count: Int, seed: Int, _ purpose: String = "test") -> [Float] {
  var random = RandomStream(seed: UInt64(seed), purpose)
  return (0..<count).map { _ in random.normal() }
}
