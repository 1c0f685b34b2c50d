import Networks
import Tensors
import TestSupport
import Testing

/// The three members 8-6-5-4, and what PyTorch made of them.
struct PermAVGFixture {
  let fixture: Fixture
  let graph: Graph
  let members: [Network]
  let batch: Batch

  init() throws {
    fixture = try Fixture("permavg")
    let fixture = fixture
    let graph = try #require(Graph("8-6-5-4"))
    self.graph = graph
    members = try (0..<3).map {
      Network(
        graph,
        parameters: try fixture.parameters(graph, prefix: "members.\($0)."))
    }
    var batch = Batch(capacity: 20, features: 8)
    batch.count = 20
    batch.inputs = try fixture.floats("inputs")
    batch.labels = try fixture.integers("labels")
    self.batch = batch
  }

  /// A matrix of each hidden layer of each member but the first, [member − 1][layer].
  func matrices(_ prefix: String) throws -> [[Matrix]] {
    try (1..<3).map { member in
      try graph.symmetry.groups.map(\.count).enumerated().map { layer, width in
        let name = "\(prefix)\(member).\(layer)"
        let elements =
          try fixture.file[name]?.floats ?? fixture.doubles(name).map(Float.init)
        return Matrix(rows: width, columns: width, elements: elements)
      }
    }
  }
}
