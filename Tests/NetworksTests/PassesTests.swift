import Networks
import Tensors
import TestSupport
import Testing

/// Forward and backward passes, against PyTorch and against the definition.
@Suite struct PassesTests {
  /// Sums of about ten products of numbers near one, in float32: a few units of 6e-8.
  static let rounding: Float = 2e-6

  @Test func `logits, loss and gradients are PyTorch's`() throws {
    let fixture = try Fixture("network")
    let (network, batch) = try referenceNetwork(fixture)
    let (loss, gradient, logits) = lossAndGradient(network, batch)
    let expectedLogits = try fixture.floats("logits")
    #expect(largestDifference(logits, expectedLogits) < Self.rounding)
    let expectedLoss = try fixture.floats("loss")[0]
    #expect(abs(Float(loss) - expectedLoss) < Self.rounding)
    let expected = try fixture.parameters(network.graph, prefix: "gradient.")
    #expect(largestDifference(gradient, expected) < Self.rounding)
  }

  @Test(arguments: 0..<12)
  func `a backward pass agrees with central differences`(seed: Int) throws {
    var random = RandomStream(seed: UInt64(seed), "problem")
    let widths = (0..<seed % 4 + 2).map { _ in 2 + random.integer(below: 7) }
    let graph = try #require(Graph(widths.map(String.init).joined(separator: "-")))
    let network = Network(graph, random: RandomStream(seed: UInt64(seed), "network"))
    try expectTrueGradient(
      of: network, randomBatch(graph, rows: 1 + random.integer(below: 6), seed: seed))
  }

  @Test(arguments: ["residual:5-4x1-3", "residual:8-6x2-4", "residual:3-7x5-2"])
  func `a residual network's backward pass agrees with central differences`(text: String) throws {
    let network = try randomNetwork(text)
    try expectTrueGradient(of: network, randomBatch(network.graph, rows: 6, seed: 2))
  }

  static let shapes: [(String, [Node])] = [
    (
      "x + relu(x)",
      [
        Node("x", Dense(6), reads: "input"), Node("relu", ReLU(), reads: "x"),
        Node("sum", Add(), reads: "x", "relu"), Node("head", Dense(3), reads: "sum"),
      ]
    ),
    (
      "a value that four nodes read",
      [
        Node("x", Dense(6), reads: "input"), Node("a", Dense(6), reads: "x"),
        Node("b", LayerNorm(), reads: "x"), Node("relu", ReLU(), reads: "x"),
        Node("ab", Add(), reads: "a", "b"), Node("abc", Add(), reads: "ab", "relu"),
        Node("abcd", Add(), reads: "x", "abc"), Node("head", Dense(3), reads: "abcd"),
      ]
    ),
    (
      "a value added to itself",
      [
        Node("x", Dense(5), reads: "input"), Node("twice", Add(), reads: "x", "x"),
        Node("relu", ReLU(), reads: "twice"), Node("four", Add(), reads: "relu", "relu"),
        Node("head", Dense(3), reads: "four"),
      ]
    ),
    (
      "a rectified value that dense layers and a sum read",
      [
        Node("x", Dense(6), reads: "input"), Node("h", ReLU(), reads: "x"),
        Node("a", Dense(6), reads: "h"), Node("b", Dense(6), reads: "h"),
        Node("ab", Add(), reads: "a", "b"), Node("abh", Add(), reads: "ab", "h"),
        Node("head", Dense(3), reads: "abh"),
      ]
    ),
    (
      "a rectified value that two dense layers read",
      [
        Node("x", Dense(6), reads: "input"), Node("h", ReLU(), reads: "x"),
        Node("a", Dense(3), reads: "h"), Node("b", Dense(3), reads: "h"),
        Node("ab", Add(), reads: "a", "b"),
      ]
    ),
    (
      "rectified logits",
      [Node("x", Dense(3), reads: "input"), Node("out", ReLU(), reads: "x")]
    ),
    (
      "an input that is rectified, normalised and added to",
      [
        Node("h", ReLU(), reads: "input"), Node("n", LayerNorm(), reads: "input"),
        Node("sum", Add(), reads: "h", "n"), Node("more", Add(), reads: "input", "sum"),
        Node("head", Dense(3), reads: "more"),
      ]
    ),
    ("no parameters", [Node("twice", Add(), reads: "input", "input")]),
  ]

  @Test(arguments: shapes.indices)
  func `a backward pass agrees with central differences, whoever reads what`(shape: Int) throws {
    let graph = try Graph(input: [4], Self.shapes[shape].1)
    for seed in 0..<3 {
      try expectTrueGradient(
        of: randomized(graph, seed: seed), randomBatch(graph, rows: 5, seed: seed),
        Self.shapes[shape].0)
    }
  }

  @Test(arguments: 0..<60)
  func `a random graph's backward pass agrees with central differences`(seed: Int) throws {
    let network = try randomGraphNetwork(seed: seed)
    try expectTrueGradient(of: network, randomBatch(network.graph, rows: 4, seed: seed))
  }

  @Test(arguments: 1...3)
  func `a workspace gives the same bits for smaller batches and any number of threads`(
    threads: Int
  ) throws {
    let graph = try #require(Graph("784-300-10"))
    let network = Network(graph, random: RandomStream(seed: 1, "network"))
    let inputs = normals(40 * 784, seed: 2)
    var first = Workspace(graph, capacity: 40, threads: 1)
    network.forward(inputs, rows: 40, workspace: &first)
    var other = Workspace(graph, capacity: 64, threads: threads)
    network.forward(inputs + inputs, rows: 40, workspace: &other)
    #expect(Array(other.logits.prefix(400)) == first.logits)
    let relu = try #require(graph.node("relu.0"))
    let hidden = try #require(other.value(of: relu))
    #expect(hidden.prefix(40 * 300).allSatisfy { $0 >= 0 })
    #expect(hidden.prefix(40 * 300) == (try #require(first.value(of: relu)))[...])
  }

  @Test(arguments: 0..<20)
  func `a gradient has the same bits in a larger workspace, used before`(seed: Int) throws {
    let network = try randomGraphNetwork(seed: seed)
    let batch = randomBatch(network.graph, rows: 3, seed: seed)
    let alone = lossAndGradient(network, batch)
    let larger = lossAndGradient(network, batch, capacity: 7)
    #expect(larger == alone)

    var workspace = Workspace(network.graph, capacity: 3)
    var gradient = [Float](repeating: .nan, count: network.parameters.count)
    for batch in [randomBatch(network.graph, rows: 2, seed: seed + 1), batch] {
      network.forward(batch.inputs, rows: batch.count, workspace: &workspace)
      _ = CrossEntropy().evaluate(batch, workspace: &workspace)
      network.backward(
        batch.inputs, rows: batch.count, workspace: &workspace, gradient: &gradient)
    }
    #expect(gradient == alone.gradient)
  }

  @Test func `a backward pass in memory for inference is a precondition failure`() async {
    await #expect(processExitsWith: .failure) {
      guard let graph = Graph("2-2") else { return }
      var workspace = Workspace(graph, capacity: 1, purpose: .inference)
      var gradient = [Float](repeating: 0, count: 6)
      let network = Network(graph, parameters: gradient)
      network.forward([1, 2], rows: 1, workspace: &workspace)
      network.backward([1, 2], rows: 1, workspace: &workspace, gradient: &gradient)
    }
  }

  @Test func `a workspace of another graph is a precondition failure`() async {
    await #expect(processExitsWith: .failure) {
      guard let graph = Graph("2-2"), let other = Graph("2-3") else { return }
      var workspace = Workspace(other, capacity: 1)
      Network(graph, parameters: [0, 0, 0, 0, 0, 0])
        .forward([1, 2], rows: 1, workspace: &workspace)
    }
  }

  /// Compares logits, loss and gradient with those in double precision.
  private func expectTrueGradient(of network: Network, _ batch: Batch, _ what: String = "") throws {
    let reference = DoubleNetwork(network)
    let outcome = reference.run(batch.inputs, labels: batch.labels)
    // Where rounding may turn a unit on, the gradients are of two functions.
    try #require(outcome.nearestKink > 1e-6, "\(what): another seed is needed")
    let own = lossAndGradient(network, batch)
    #expect(largestDifference(own.logits, outcome.logits.map(Float.init)) < 1e-5, "\(what)")
    #expect(abs(own.loss - outcome.loss) < 1e-5, "\(what)")
    var compared = 0
    for (index, gradient) in own.gradient.enumerated() {
      guard
        let difference = reference.centralDifference(
          index, inputs: batch.inputs, labels: batch.labels)
      else { continue }
      compared += 1
      // The gradient's own rounding; the difference in double is good to 1e-9.
      #expect(abs(Double(gradient) - difference) < 1e-5, "\(what), parameter \(index)")
    }
    #expect(compared >= own.gradient.count * 9 / 10)
  }
}

/// The network and the batch of `network.safetensors`.
func referenceNetwork(_ fixture: Fixture) throws -> (Network, Batch) {
  let graph = try #require(Graph("12-9-7-5"))
  let network = Network(graph, parameters: try fixture.parameters(graph))
  var batch = Batch(capacity: 16, features: 12)
  batch.count = 16
  batch.inputs = try fixture.floats("inputs")
  batch.labels = try fixture.integers("labels")
  return (network, batch)
}
