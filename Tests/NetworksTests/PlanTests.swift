import TestSupport
import Testing

@testable import Networks

/// What a graph is compiled to: ReLUs done by the layer before, and memory that is used again.
@Suite struct PlanTests {
  @Test func `a dense layer's ReLU is done with it if nobody else reads the sum`() throws {
    let graph = try #require(Graph("5-4-6-3"))
    #expect(graph.plan.steps.map(\.isRectified) == [true, true, false])
    #expect(graph.plan.steps.map { graph.nodes[$0.node].name } == [0, 1, 2].map { "layers.\($0)" })
    // The dense layers above do the ReLUs' backward passes as well.
    #expect(graph.plan.steps.map(\.masksOutput) == [false, false, false])
    #expect(graph.plan.steps.map(\.masksInputs) == [[false], [true], [true]])
  }

  /// By name: the layers that take on a ReLU, those that run, and those whose output is masked.
  static let graphs: [(nodes: [Node], rectified: [String], running: [String], masked: [String])] = [
    (
      // Somebody else reads the sum.
      [
        Node("x", Dense(4), reads: "input"), Node("h", ReLU(), reads: "x"),
        Node("sum", Add(), reads: "x", "h"),
      ], [], ["x", "h", "sum"], []
    ),
    (
      // A norm cannot take it on.
      [
        Node("x", LayerNorm(), reads: "input"), Node("h", ReLU(), reads: "x"),
        Node("head", Dense(3), reads: "h"),
      ], [], ["x", "h", "head"], []
    ),
    (
      // One of the readers cannot mask its gradient.
      [
        Node("x", Dense(4), reads: "input"), Node("h", ReLU(), reads: "x"),
        Node("y", Dense(4), reads: "h"), Node("sum", Add(), reads: "y", "h"),
      ], ["x"], ["x", "y", "sum"], ["x"]
    ),
    (
      // The ReLU's value is the output.
      [Node("x", Dense(4), reads: "input"), Node("h", ReLU(), reads: "x")], ["x"], ["x"], ["x"]
    ),
    (
      // Two ReLUs read one sum.
      [
        Node("x", Dense(4), reads: "input"), Node("a", ReLU(), reads: "x"),
        Node("b", ReLU(), reads: "x"), Node("sum", Add(), reads: "a", "b"),
      ], [], ["x", "a", "b", "sum"], []
    ),
    (
      // A ReLU of a ReLU: the first is done with the sum, the second is a pass of its own.
      [
        Node("x", Dense(4), reads: "input"), Node("a", ReLU(), reads: "x"),
        Node("b", ReLU(), reads: "a"), Node("head", Dense(3), reads: "b"),
      ], ["x"], ["x", "b", "head"], ["x"]
    ),
  ]

  @Test(arguments: graphs.indices)
  func `a ReLU is taken on where that is possible`(index: Int) throws {
    let expected = Self.graphs[index]
    let graph = try Graph(input: [5], expected.nodes)
    let steps = graph.plan.steps
    func names(_ isChosen: (Plan.Step) -> Bool) -> [String] {
      steps.filter(isChosen).map { graph.nodes[$0.node].name }
    }
    #expect(names(\.isRectified) == expected.rectified)
    #expect(names { _ in true } == expected.running)
    #expect(names(\.masksOutput) == expected.masked)
  }

  /// Networks whose ReLU is done with the dense layer before.
  static let fusible: [[Node]] = [
    [
      Node("x", Dense(40), reads: "input"), Node("h", ReLU(), reads: "x"),
      Node("head", Dense(7), reads: "h"),
    ],
    [
      Node("x", Dense(40), reads: "input"), Node("h", ReLU(), reads: "x"),
      Node("y", Dense(40), reads: "h"), Node("z", Add(), reads: "y", "h"),
      Node("head", Dense(7), reads: "z"),
    ],
    [
      Node("x", Dense(40), reads: "input"), Node("h", ReLU(), reads: "x"),
      Node("n", LayerNorm(), reads: "h"), Node("y", Dense(40), reads: "h"),
      Node("z", Add(), reads: "y", "n"), Node("head", Dense(7), reads: "z"),
    ],
  ]

  @Test(arguments: fusible)
  func `a fused ReLU has the bits of one that is a pass of its own`(nodes: [Node]) throws {
    let fused = try Graph(input: [30], nodes)
    // Read by a layer of zeros, too, the sum keeps its ReLU apart, and nothing else changes.
    let apart = try Graph(
      input: [30],
      nodes + [
        Node("zeros", Dense(7), reads: "x"), Node("out", Add(), reads: "head", "zeros"),
      ])
    #expect(fused.plan.steps.first?.isRectified == true)
    #expect(apart.plan.steps.first?.isRectified == false)
    let network = randomized(fused, seed: 1)
    let other = Network(
      apart,
      parameters: apart.tensors.flatMap { tensor in
        fused.tensors.first { $0.name == tensor.name }.map { Array(network.parameters[$0.range]) }
          ?? Array(repeating: 0, count: tensor.range.count)
      })
    let batch = randomBatch(fused, rows: 20, seed: 1)
    let (a, b) = (lossAndGradient(network, batch), lossAndGradient(other, batch))
    #expect(a.logits == b.logits)
    #expect(a.loss == b.loss)
    for tensor in fused.tensors {
      let own = try #require(apart.tensors.first { $0.name == tensor.name })
      #expect(a.gradient[tensor.range] == b.gradient[own.range], "\(tensor.name)")
    }
    #expect(a.gradient.contains { $0 != 0 })
  }

  @Test(arguments: 0..<60)
  func `memory that is used again gives the logits of memory that is not`(seed: Int) throws {
    try expectEqualLogits(try randomGraphNetwork(seed: seed))
  }

  @Test(arguments: ["784-64-64-64-10", "residual:30-20x6-5"])
  func `a family's network gives the same logits in less memory`(text: String) throws {
    let network = try randomNetwork(text)
    try expectEqualLogits(network)
    let plan = network.graph.plan
    #expect(plan.reused.size < plan.kept.size * 3 / 4)
  }

  @Test func `a perceptron needs two hidden values at a time, and the logits`() throws {
    let graph = try #require(Graph("8-6-6-6-6-4"))
    #expect(graph.plan.kept.size == 4 * 6 + 4)
    #expect(graph.plan.reused.size == 2 * 6 + 4)
    #expect(graph.plan.gradients.size == 2 * 6 + 4)
  }

  @Test func `a deeper stream needs no more memory for its values and gradients`() throws {
    let plans = try [2, 9].map { try #require(Graph("residual:8-6x\($0)-4")).plan }
    #expect(plans[0].reused.size == plans[1].reused.size)
    #expect(plans[0].gradients.size == plans[1].gradients.size)
    #expect(plans[0].kept.size < plans[1].kept.size)
  }

  @Test func `only a workspace for training shows values`() throws {
    let network = try randomNetwork("5-4-3")
    let inputs = normals(10, seed: 1)
    var training = Workspace(network.graph, capacity: 2)
    var inference = Workspace(network.graph, capacity: 2, purpose: .inference)
    network.forward(inputs, rows: 2, workspace: &training)
    network.forward(inputs, rows: 2, workspace: &inference)
    // The dense layer's own value never was: its ReLU is done with it.
    #expect(training.value(of: 0) == nil)
    #expect(training.value(of: 1)?.count == 8)
    #expect((0..<3).allSatisfy { inference.value(of: $0) == nil })
    #expect(training.logits == inference.logits)
  }

  private func expectEqualLogits(_ network: Network) throws {
    let inputs = normals(6 * network.graph.inputs, seed: 1)
    var training = Workspace(network.graph, capacity: 6)
    network.forward(inputs, rows: 6, workspace: &training)
    #expect(logits(network, inputs, rows: 6) == training.logits)
    var larger = Workspace(network.graph, capacity: 9, purpose: .inference)
    network.forward(inputs, rows: 6, workspace: &larger)
    #expect(larger.logits.prefix(training.logits.count) == training.logits[...])
  }
}
