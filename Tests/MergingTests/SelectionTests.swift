import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

private func given(_ batches: RandomBatches) -> MergeResources {
  MergeResources(
    batches: batches,
    samples: SamplesInMemory(batches.inputs, labels: batches.labels, features: batches.features))
}

/// Choosing hidden units among all members'.
@Suite struct SelectionTests {
  @Test(arguments: 0..<3)
  func `pivoted columns are those of SciPy's QR`(index: Int) throws {
    let fixture = try Fixture("selection")
    let tensor = try #require(fixture.file["pivots\(index).matrix"])
    let matrix = Matrix(
      rows: tensor.shape[0], columns: tensor.shape[1], elements: try #require(tensor.floats))
    let expected = try fixture.integers("pivots\(index).pivots")
    #expect(pivotedColumns(of: matrix, count: expected.count) == expected)
    #expect(pivotedColumns(of: matrix, count: expected.count, threads: 3) == expected)
  }

  @Test func `of equal columns one is taken, and the first of the rest only when nothing is left`()
  {
    let (rows, distinct) = (40, 7)
    let once = normals(rows * distinct, seed: 1)
    var matrix = Matrix(rows: rows, columns: 3 * distinct + 1)
    for row in 0..<rows {
      // Column 0 is zero, and then each column comes three times.
      for column in 0..<3 * distinct {
        matrix[row, column + 1] = once[row * distinct + column % distinct]
      }
    }
    let pivots = pivotedColumns(of: matrix, count: distinct + 3)
    #expect(pivots.prefix(distinct).sorted() == Array(1...distinct))
    #expect(pivots.suffix(3) == [0, distinct + 1, distinct + 2])
    #expect(pivotedColumns(of: Matrix(rows: 3, columns: 4), count: 2) == [0, 1])
    #expect(pivotedColumns(of: matrix, count: 0).isEmpty)
  }

  @Test func `a selection is NumPy's, units and fitted layers`() throws {
    let fixture = try Fixture("selection")
    let graph = try #require(Graph("8-12-9-4"))
    let members = try (0..<3).map {
      Network(
        graph, parameters: try fixture.parameters(graph, prefix: "members.\($0)."))
    }
    let batches = RandomBatches(inputs: try fixture.floats("inputs"), features: 8)
    let merged = try run("neuron-selection", members, resources: given(batches))
      .network
    let first = graph.layers[0]
    for (place, unit) in try fixture.integers("units.0").enumerated() {
      let own = members[unit / 12].weights(of: unit % 12, first)
      #expect(Array(merged.weights(of: place, first)) == Array(own))
    }
    for tensor in graph.tensors {
      let expected =
        try fixture.file["merged.\(tensor.name)"]?.doubles?.map(Float.init)
        ?? fixture.floats("merged.\(tensor.name)")
      let own = merged.parameters[tensor.range]
      let size = expected.map(abs).max() ?? 0
      #expect(largestDifference(own, expected) < 1e-4 * size, "\(tensor.name)")
    }
  }

  @Test(arguments: ["20-24-5", "20-24-20-16-5"])
  func `one member, and copies of it, are selected to its function`(text: String) throws {
    for count in [1, 3] {
      let copies = try Copies(text, count: count, seed: 1)
      let batches = RandomBatches(labelledBy: copies.original, count: 2000, seed: 1)
      let merge = try run(
        "neuron-selection", copies.members, resources: given(batches))
      // On other inputs than it was fitted on.
      let inputs = normals(500 * 20, seed: 9)
      let (own, other) = (
        logits(copies.original, inputs, rows: 500), logits(merge.network, inputs, rows: 500)
      )
      let size = own.map(abs).max() ?? 0
      // All that differs is what the ridge takes away.
      #expect(largestDifference(own, other) < 0.02 * size, "\(count) members")
    }
  }

  @Test func `units of several members serve better than one member's with a fitted head`() throws {
    let graph = try #require(Graph("10-12-3"))
    let members = (0..<4).map { randomNetwork(graph, seed: $0) }
    let batches = RandomBatches(labelledBy: members[0], count: 3000, seed: 1)
    let selected = try run("neuron-selection", members, resources: given(batches))
      .network
    let inputs = batches.inputs
    let outputs = members.map { logits($0, inputs, rows: 3000) }
    let target = mean(of: outputs)
    func error(_ network: Network) -> Float {
      zip(logits(network, inputs, rows: 3000), target).reduce(0) {
        $0 + ($1.0 - $1.1) * ($1.0 - $1.1)
      }
    }
    for member in members { #expect(error(selected) < error(member) / 2) }
    let naive = try run("naive", members).network
    #expect(error(selected) < error(naive) / 2)
  }

  @Test func `a selection does not depend on threads, nor on how the members are lined up`() throws
  {
    let graph = try #require(Graph("20-300-40-5"))
    let members = (0..<3).map { randomNetwork(graph, seed: $0) }
    let batches = RandomBatches(labelledBy: members[0], count: 700, seed: 1)
    let resources = given(batches)
    let result = try run("neuron-selection", members, resources: resources)
    for threads in [2, 3] {
      let other = try run("neuron-selection", members, resources: resources, threads: threads)
      #expect(other.network == result.network)
    }
    let lined = try run("weight-matching,neuron-selection", members, resources: resources)
    #expect(lined.network == result.network && lined.isAligned && !result.isAligned)
  }

  @Test func `networks without hidden layers are averaged`() throws {
    let graph = try #require(Graph("6-3"))
    let members = (0..<3).map { randomNetwork(graph, seed: $0) }
    let batches = RandomBatches(labelledBy: members[0], count: 50, seed: 1)
    let merged = try run("neuron-selection", members, resources: given(batches))
    #expect(merged.network.parameters == mean(of: members.map(\.parameters)))
  }

  @Test func `fewer samples than units are enough`() throws {
    let graph = try #require(Graph("6-30-3"))
    let members = (0..<3).map { randomNetwork(graph, seed: $0) }
    let batches = RandomBatches(labelledBy: members[0], count: 20, seed: 1)
    let merged = try run("neuron-selection", members, resources: given(batches))
      .network
    #expect(merged.isFinite && merged.graph == graph)
    let target = mean(of: members.map { logits($0, batches.inputs, rows: 20) })
    #expect(largestDifference(logits(merged, batches.inputs, rows: 20), target) < 0.05)
  }

  @Test func `selection without data is an error`() throws {
    let members = [randomNetwork(try #require(Graph("5-4-3")), seed: 1)]
    let error = #expect(throws: MergeError.self) { try run("neuron-selection", members) }
    #expect(
      error?.description
        == "neuron-selection needs training data, and there is none"
    )
    #expect(MergeMethod.neuronSelection.needs.data)
  }
}
