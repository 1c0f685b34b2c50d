import Foundation
import Networks
import Tensors
import TestSupport
import Testing

/// A layer of one's own: all that it takes is this file.
///
/// y = w ∘ (x − m), with the batch's means m in training and their running mean in use. It has a parameter, a buffer, a rule
/// for units, and needs something of the forward pass for the backward one.
struct Centering: Layer {
  var description: String { "centering" }

  func outputShape(of inputs: [Shape]) throws(LayerError) -> Shape {
    let shape = try single(inputs)
    guard shape.count == 1 else { throw LayerError("centers a vector, not \(shape)") }
    return shape
  }

  func parameters(of inputs: [Shape]) -> [TensorDeclaration] {
    [
      TensorDeclaration(
        "weight", inputs[0], role: .weight, initializer: .constant(1), decays: false)
    ]
  }

  func buffers(of inputs: [Shape]) -> [TensorDeclaration] {
    [TensorDeclaration("running_mean", inputs[0], role: .other, initializer: .constant(0))]
  }

  func passUnits(
    _ axes: LayerAxes, outputShape: Shape, in units: inout UnitRelations
  ) -> [UnitRelations.Axis] {
    units.unify(axes.inputs[0][0], axes.parameters[0][0])
    units.unify(axes.inputs[0][0], axes.buffers[0][0])
    return axes.inputs[0]
  }

  func savedCount(of inputs: [Shape], rows: Int) -> Int { inputs[0][0] }

  func forward(_ pass: ForwardPass) {
    let width = pass.inputShapes[0][0]
    for i in 0..<width {
      var mean = pass.buffers[0][i]
      if let updated = pass.updatedBuffers {
        let sum = (0..<pass.rows).reduce(Float(0)) { $0 + pass.inputs[0][$1 * width + i] }
        mean = sum / Float(pass.rows)
        updated[0][i] = 0.75 * pass.buffers[0][i] + 0.25 * mean
      }
      if !pass.saved.isEmpty { pass.saved[i] = mean }
      for row in 0..<pass.rows {
        pass.output[row * width + i] =
          pass.parameters[0][i] * (pass.inputs[0][row * width + i] - mean)
      }
    }
  }

  /// ∂x = w ∘ (δ − mean(δ)), ∂w = Σ δ ∘ (x − m): the backward pass of training.
  func backward(_ pass: BackwardPass) {
    let (width, rows) = (pass.inputShapes[0][0], pass.rows)
    let gradient = pass.outputGradient
    var means = [Float](repeating: 0, count: width)
    for i in 0..<width {
      pass.parameterGradients[0][i] = 0
      for row in 0..<rows {
        let delta = gradient[row * width + i]
        means[i] += delta / Float(rows)
        pass.parameterGradients[0][i] += delta * (pass.inputs[0][row * width + i] - pass.saved[i])
      }
    }
    pass.inputGradients[0]?.take {
      pass.parameters[0][$0 % width] * (gradient[$0] - means[$0 % width])
    }
  }
}

/// A layer that the library does not know, in a graph, a catalogue, a learner and a checkpoint.
@Suite struct ToyLayerTests {
  static let layers = LayerCatalog(
    LayerCatalog.standard.kinds + [
      LayerCatalog.Kind("centering") { $0 == nil ? Centering() : nil }
    ])

  static func graph() throws -> Graph {
    try Graph(
      input: [4],
      [
        Node("stem", Dense(6), reads: "input"), Node("center", Centering(), reads: "stem"),
        Node("relu", ReLU(), reads: "center"), Node("inner", Dense(6), reads: "relu"),
        Node("sum", Add(), reads: "center", "inner"), Node("head", Dense(3), reads: "sum"),
      ])
  }

  @Test func `its tensors lie in the blocks of parameters and buffers`() throws {
    let graph = try Self.graph()
    #expect(graph.tensorNames.contains("center.weight"))
    #expect(graph.buffers.map(\.name) == ["center.running_mean"])
    #expect(graph.buffers.map(\.range) == [0..<6])
    #expect(graph.buffers[0].node == graph.node("center"))
    let network = Network(graph, random: RandomStream(seed: 1, "network"))
    #expect(network.buffers == Array(repeating: 0, count: 6))
    #expect(network.isFinite)
    var broken = network
    broken.buffers[5] = .nan
    #expect(!broken.isFinite)
  }

  @Test func `its buffer changes in training, and counts in use`() throws {
    var network = randomized(try Self.graph(), seed: 1)
    let batch = randomBatch(network.graph, rows: 5, seed: 1)
    var workspace = Workspace(network.graph, capacity: 8)
    let before = network
    network.forward(batch.inputs, rows: 5, workspace: &workspace)
    #expect(network == before)
    let used = logits(network, batch.inputs, rows: 5)
    #expect(workspace.logits.prefix(15) == used[...])

    network.forwardTraining(batch.inputs, rows: 5, workspace: &workspace)
    #expect(network.parameters == before.parameters)
    let stem = try #require(workspace.value(of: 0))
    let means = (0..<6).map { i in (0..<5).reduce(Float(0)) { $0 + stem[$1 * 6 + i] } / 5 }
    for (own, mean) in zip(network.buffers, means) { #expect(abs(own - 0.25 * mean) < 1e-6) }
    #expect(workspace.logits.prefix(15) != used[...])
    // Once the running mean is the batch's, use is as training was.
    let trained = Array(workspace.logits.prefix(15))
    network.buffers = means
    #expect(largestDifference(logits(network, batch.inputs, rows: 5), trained) < 1e-5)
  }

  @Test func `its units are numbered with those of its neighbours, in the buffer too`() throws {
    let graph = try Self.graph()
    let group = try #require(graph.symmetry.groups.first)
    #expect(
      group.places.map { "\($0.tensor.name) \($0.axis)\($0.isBuffer ? " kept" : "")" } == [
        "stem.weight 0", "stem.bias 0", "center.weight 0", "inner.weight 0", "inner.weight 1",
        "inner.bias 0", "head.weight 1", "center.running_mean 0 kept",
      ])
    #expect(graph.symmetry.groups.count == 1)
    #expect(graph.symmetry.groupOfNode == [0, 0, 0, 0, 0, nil])
  }

  @Test func `its gradient agrees with central differences of the training pass`() throws {
    let network = randomized(try Self.graph(), seed: 2)
    let batch = randomBatch(network.graph, rows: 6, seed: 2)
    var learner = Learner(
      GradientDescent(network, learningRate: 0, momentum: 0, weightDecay: 0), schedule: .constant,
      steps: 1, batchSize: 6)
    _ = learner.computeGradient(batch, minimizing: CrossEntropy())
    let gradient = learner.networkGradient
    for index in gradient.indices {
      let step: Float = 4e-3
      let losses = [step, -step].map { step in
        var moved = learner
        moved.subject.network.parameters[index] += step
        return moved.computeGradient(batch, minimizing: CrossEntropy()).loss
      }
      let difference = (losses[0] - losses[1]) / Double(2 * step)
      // Single precision: the loss is good to 1e-7, the difference to some 1e-4, and a unit may turn on.
      #expect(abs(Double(gradient[index]) - difference) < 2e-3, "parameter \(index)")
    }
    #expect(gradient.contains { abs($0) > 0.1 })
  }

  @Test func `a catalogue with one more entry reads it, and the standard one does not`() throws {
    let graph = try Self.graph()
    let description = try GraphDescription(json: graph.description)
    #expect(try description.graph(layers: Self.layers) == graph)
    let error = #expect(throws: GraphError.self) { try Graph(parsing: graph.description) }
    #expect(
      error?.description.hasPrefix(
        #"node "center": there is no layer "centering"; there are "#
          + "dense(outputs), relu, add, layernorm, conv2d(") == true)
    #expect(Self.layers.layer("centering(2)") == nil)
  }

  @Test func `a learner keeps the buffer, and goes on with it`() throws {
    let network = Network(try Self.graph(), random: RandomStream(seed: 1, "network"))
    let source = SmallBatches(count: 22, batchSize: 8, features: 4, classes: 3)
    func learner() -> Learner<GradientDescent> {
      Learner(
        GradientDescent(network, learningRate: 0.1, momentum: 0.9, weightDecay: 1e-3),
        schedule: .cosine, steps: 9, batchSize: 8)
    }
    var whole = learner()
    try whole.learn(from: source, minimizing: CrossEntropy())
    #expect(whole.subject.network.buffers.allSatisfy { $0 != 0 })
    var (first, second) = (learner(), learner())
    #expect(throws: Interruption.self) {
      try first.learn(
        from: source, minimizing: CrossEntropy(),
        beforeStep: { if $1 == 4 { throw Interruption() } })
    }
    try second.restore(first.state)
    try second.learn(from: source, minimizing: CrossEntropy())
    #expect(second.subject.network == whole.subject.network)
    #expect(second.state == whole.state)
  }

  @Test func `a checkpoint holds the buffer behind the parameters`() throws {
    var network = randomized(try Self.graph(), seed: 3)
    network.buffers = normals(6, seed: 3)
    let file = try Safetensors(network.checkpoint().data, path: "memory")
    #expect(file.tensors.map(\.name) == network.graph.tensorNames)
    #expect(file.tensors.last?.name == "center.running_mean")
    let text = try #require(file.metadata["architecture"])
    let graph = try GraphDescription(json: text).graph(layers: Self.layers)
    func floats(_ tensors: [TensorLayout]) throws -> [Float] {
      try tensors.flatMap { tensor in
        let stored = try #require(file[tensor.name])
        #expect(stored.shape == tensor.shape)
        return try #require(stored.floats)
      }
    }
    let read = Network(
      graph, parameters: try floats(graph.tensors), buffers: try floats(graph.buffers))
    #expect(read == network)
  }

  @Test func `a part of a network takes its part of the buffers`() throws {
    var network = randomized(try Self.graph(), seed: 4)
    network.buffers = normals(6, seed: 4)
    let inputs = normals(12, seed: 4)
    var workspace = Workspace(network.graph, capacity: 3)
    network.forward(inputs, rows: 3, workspace: &workspace)
    let center = try #require(network.graph.node("center"))
    let part = network.part(upTo: center)
    #expect(part.buffers == network.buffers)
    #expect(logits(part, inputs, rows: 3) == workspace.value(of: center))
    #expect(network.part(upTo: 0).buffers.isEmpty)
    let parts = try #require(network.graph.firstNodeAndRest)
    let rest = network.part(parts.rest)
    #expect(rest.buffers == network.buffers)
    #expect(
      logits(rest, logits(network.part(parts.first), inputs, rows: 3), rows: 3)
        == workspace.logits)
  }
}
