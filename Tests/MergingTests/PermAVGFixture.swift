import Networks
import TestSupport
import Testing

/// The three members 8-6-5-4, and what PyTorch made of them.
struct PermAVGFixture {
  let fixture: Fixture
  let architecture: Architecture
  let members: [Network]
  let batch: Batch

  init() throws {
    fixture = try Fixture("permavg")
    let fixture = fixture
    let architecture = try #require(Architecture("8-6-5-4"))
    self.architecture = architecture
    members = try (0..<3).map {
      Network(
        architecture,
        parameters: try fixture.parameters(architecture, prefix: "members.\($0)."))
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
      try architecture.hiddenWidths.enumerated().map { layer, width in
        let name = "\(prefix)\(member).\(layer)"
        let elements =
          try fixture.file[name]?.floats ?? fixture.doubles(name).map(Float.init)
        return Matrix(rows: width, columns: width, elements: elements)
      }
    }
  }
}
