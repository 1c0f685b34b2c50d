import Foundation
import Networks
import Tensors
import TestSupport
import Testing

/// The groups of units that a graph lets one reorder, and all the places where they are numbered.
@Suite struct SymmetryTests {
  @Test func `a perceptron has a group for each hidden layer, in three places`() throws {
    let graph = try #require(Graph("7-5-4-3"))
    #expect(
      places(graph) == [
        [
          "layers.0.weight axis 0", "layers.0.bias axis 0", "layers.1.weight axis 1",
        ],
        [
          "layers.1.weight axis 0", "layers.1.bias axis 0", "layers.2.weight axis 1",
        ],
      ])
    #expect(graph.symmetry.groups.map(\.count) == [5, 4])
    #expect(graph.symmetry.groups.map(\.index) == [0, 1])
    #expect(graph.symmetry.groupOfNode == [0, 0, 1, 1, nil])
    #expect(graph.symmetry.groups.flatMap(\.places).allSatisfy { $0.isWholeAxis })
    let groups = graph.tensors.map { tensor in
      tensor.shape.indices.map { graph.symmetry.group(of: tensor, axis: $0) }
    }
    #expect(groups == [[0, nil], [0], [1, 0], [1], [nil, 1], [nil]])
  }

  @Test func `a network without hidden units has no groups`() throws {
    let graph = try #require(Graph("7-3"))
    #expect(graph.symmetry.groups.isEmpty)
    #expect(graph.symmetry.groupOfNode == [nil])
  }

  @Test func `a residual network has one group for its stream and one for each block`() throws {
    let graph = try #require(Graph("residual:8-6x2-4"))
    var stream = ["stem.weight axis 0", "stem.bias axis 0"]
    for block in ["blocks.0", "blocks.1"] {
      stream += [
        "\(block).norm.weight axis 0", "\(block).norm.bias axis 0", "\(block).up.weight axis 1",
        "\(block).down.weight axis 0", "\(block).down.bias axis 0",
      ]
    }
    stream += ["norm.weight axis 0", "norm.bias axis 0", "head.weight axis 1"]
    let blocks = ["blocks.0", "blocks.1"].map {
      ["\($0).up.weight axis 0", "\($0).up.bias axis 0", "\($0).down.weight axis 1"]
    }
    #expect(places(graph) == [stream] + blocks)
    #expect(graph.symmetry.groups.map(\.count) == [6, 6, 6])
    let group = Dictionary(
      uniqueKeysWithValues: zip(graph.nodes.map(\.name), graph.symmetry.groupOfNode))
    for (name, number) in group {
      switch name {
      case "head": #expect(number == nil)
      case _ where name.hasSuffix(".up") || name.hasSuffix(".relu"):
        #expect(number == (name.hasPrefix("blocks.0") ? 1 : 2))
      default: #expect(number == 0, "\(name)")
      }
    }
  }

  @Test func `a block that adds to what it reads has one group on both axes of its weights`() throws
  {
    let graph = try Graph(
      input: [5],
      [
        Node("stem", Dense(4), reads: "input"), Node("inner", Dense(4), reads: "stem"),
        Node("relu", ReLU(), reads: "inner"), Node("sum", Add(), reads: "stem", "relu"),
        Node("head", Dense(3), reads: "sum"),
      ])
    #expect(
      places(graph) == [
        [
          "stem.weight axis 0", "stem.bias axis 0", "inner.weight axis 0", "inner.weight axis 1",
          "inner.bias axis 0", "head.weight axis 1",
        ]
      ])
    try expectInvariance(of: randomized(graph, seed: 1))
  }

  @Test func `what is added to the input or to the logits is pinned`() throws {
    let graph = try Graph(
      input: [4],
      [
        Node("a", Dense(4), reads: "input"), Node("x", Add(), reads: "a", "input"),
        Node("b", Dense(3), reads: "x"), Node("c", Dense(3), reads: "x"),
        Node("y", Add(), reads: "b", "c"),
      ])
    #expect(graph.symmetry.groups.isEmpty)
  }

  @Test func `a layer without a rule pins what it touches, and nothing else`() throws {
    let graph = try Graph(
      input: [5],
      [
        Node("a", Dense(6), reads: "input"), Node("b", Dense(4), reads: "a"),
        Node("opaque", Opaque(), reads: "b"), Node("c", Dense(6), reads: "opaque"),
        Node("d", Dense(3), reads: "c"),
      ])
    #expect(
      places(graph) == [
        ["a.weight axis 0", "a.bias axis 0", "b.weight axis 1"],
        ["c.weight axis 0", "c.bias axis 0", "d.weight axis 1"],
      ])
    #expect(graph.symmetry.groupOfNode == [0, nil, nil, 1, nil])
  }

  @Test(arguments: [true, false])
  func `units behind a flattening are found in runs or at a stride`(channelsFirst: Bool) throws {
    let graph = try Graph(
      input: [5],
      [
        Node(
          "spread", Spread(channels: 4, positions: 3, channelsFirst: channelsFirst), reads: "input"),
        Node("flat", Flatten(), reads: "spread"), Node("head", Dense(2), reads: "flat"),
      ])
    let group = try #require(graph.symmetry.groups.first)
    #expect(graph.symmetry.groups.count == 1)
    #expect(places(graph) == [["spread.weight axis 0", "head.weight axis 1"]])
    let place = group.places[1]
    #expect((place.count, place.offset) == (4, 0))
    #expect((place.outer, place.block) == (channelsFirst ? (1, 3) : (3, 1)))
    #expect(place.isWholeAxis == false)
    #expect(
      place.entries
        == (channelsFirst
          ? [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
          : [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]))
    // Only the group's own axes are numbered unit by unit.
    #expect(graph.symmetry.group(of: graph.tensors[0], axis: 0) == 0)
    #expect(graph.symmetry.group(of: graph.tensors[1], axis: 1) == nil)
  }

  @Test(arguments: 0..<40)
  func `reordering any group of a random graph leaves what it computes`(seed: Int) throws {
    try expectInvariance(of: try randomGraphNetwork(seed: seed))
  }

  @Test(arguments: ["7-5-4-3", "residual:8-6x2-4"])
  func `reordering all groups at once leaves what a family's network computes`(
    text: String
  ) throws {
    try expectInvariance(of: try randomNetwork(text))
  }

  @Test func `random graphs have groups of several kinds`() throws {
    let groups = try (0..<40).flatMap { try randomGraphNetwork(seed: $0).graph.symmetry.groups }
    #expect(groups.count > 40)
    #expect(groups.contains { $0.places.count > 6 })
  }

  /// Reorders each group alone, then all, and compares in double precision.
  private func expectInvariance(of network: Network) throws {
    let (graph, reference) = (network.graph, DoubleNetwork(network))
    let batch = randomBatch(graph, rows: 4, seed: 1)
    let expected = reference.run(batch.inputs, labels: batch.labels).logits
    var all = reference
    for group in graph.symmetry.groups {
      var random = RandomStream(seed: 1, "order", group.index)
      let order = random.permutation(of: group.count)
      let alone = reference.permuted(group, by: order)
      #expect(order == Array(0..<group.count) || alone.parameters != reference.parameters)
      all = all.permuted(group, by: order)
      for moved in [alone, all] {
        let found = moved.run(batch.inputs, labels: batch.labels).logits
        let difference = zip(found, expected).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(difference < 1e-10, "group \(group.index) of \(graph)")
      }
    }
  }

  private func places(_ graph: Graph) -> [[String]] {
    graph.symmetry.groups.map { group in
      group.places.map { "\($0.tensor.name) axis \($0.axis)" }
    }
  }
}

/// A layer that says nothing of how units pass.
private struct Opaque: Layer {
  var description: String { "opaque" }
  func outputShape(of inputs: [Shape]) throws(LayerError) -> Shape { try single(inputs) }
  func forward(_ pass: ForwardPass) {}
  func backward(_ pass: BackwardPass) {}
}

/// A vector becomes channels at several positions, as before a convolution; no passes, only units.
private struct Spread: Layer {
  let channels: Int
  let positions: Int
  let channelsFirst: Bool

  var description: String { "spread" }

  func outputShape(of inputs: [Shape]) throws(LayerError) -> Shape {
    channelsFirst ? [channels, positions] : [positions, channels]
  }

  func parameters(of inputs: [Shape]) -> [TensorDeclaration] {
    [
      TensorDeclaration(
        "weight", [channels, inputs[0][0]], role: .weight, initializer: .constant(0))
    ]
  }

  func passUnits(
    _ axes: LayerAxes, outputShape: Shape, in units: inout UnitRelations
  ) -> [UnitRelations.Axis] {
    units.unify(axes.inputs[0][0], axes.parameters[0][1])
    let places = units.axis(of: positions)
    units.fix(places)
    return channelsFirst ? [axes.parameters[0][0], places] : [places, axes.parameters[0][0]]
  }

  func forward(_ pass: ForwardPass) {}
  func backward(_ pass: BackwardPass) {}
}

/// All axes as one.
private struct Flatten: Layer {
  var description: String { "flatten" }

  func outputShape(of inputs: [Shape]) throws(LayerError) -> Shape {
    [try single(inputs).reduce(1, *)]
  }

  func passUnits(
    _ axes: LayerAxes, outputShape: Shape, in units: inout UnitRelations
  ) -> [UnitRelations.Axis] {
    units.product(axes.inputs[0]).map { [$0] } ?? []
  }

  func forward(_ pass: ForwardPass) {}
  func backward(_ pass: BackwardPass) {}
}
