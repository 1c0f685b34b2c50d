import Testing

@testable import Networks

/// Graphs with other numbers of units.
@Suite struct ResizedGraphTests {
  @Test(arguments: [
    ("784-512-10", [1024], "784-1024-10"), ("8-20-16-5", [10, 8], "8-10-8-5"),
    ("8-20-20-5", [40, 40], "8-40-40-5"),
    ("residual:9-12x4-6", [24, 24, 24, 24, 24], "residual:9-24x4-6"),
  ])
  func `a family's graph has a family's name again`(
    text: String, counts: [Int], expected: String
  ) throws {
    let graph = try #require(Graph(text))
    let resized = try graph.resized(to: counts)
    #expect(resized.description == expected && resized == Graph(expected))
    #expect(resized.symmetry.groups.map(\.count) == counts)
    #expect(try graph.resized(to: graph.symmetry.groups.map(\.count)) == graph)
  }

  @Test(arguments: ["10-10-10-10", "8-20-20-5"])
  func `widths that a family's text cannot tell apart are written as layers`(text: String) throws {
    let graph = try #require(Graph(text))
    let resized = try graph.resized(to: [7, 3])
    #expect(resized.symmetry.groups.map(\.count) == [7, 3])
    #expect(resized.inputs == graph.inputs && resized.outputs == graph.outputs)
    #expect(Graph(resized.description) == resized)
  }

  @Test func `too many units are refused`() throws {
    let graph = try #require(Graph("784-512-10"))
    #expect(throws: GraphError.self) { try graph.resized(to: [1 << 25]) }
    #expect(throws: GraphError.self) { try graph.resized(to: [0]) }
  }
}
