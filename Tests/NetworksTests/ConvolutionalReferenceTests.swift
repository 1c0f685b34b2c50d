import Networks
import Tensors
import TestSupport
import Testing

/// Convolutional layers and families against PyTorch in double precision.
@Suite struct ConvolutionalReferenceTests {
  /// The networks of `scripts/references/convolutional.py`.
  private func graph(_ name: String) throws -> Graph {
    name == "first"
      ? try Graph(
        input: [3, 9, 10],
        [
          Node("a", Conv2d(8, kernel: Extent(3), stride: 2, padding: 1), reads: "input"),
          Node("an", BatchNorm(), reads: "a"), Node("r1", ReLU(), reads: "an"),
          Node(
            "b", Conv2d(8, kernel: Extent(3), padding: 1, groups: 8, hasBias: false), reads: "r1"),
          Node("bn", BatchNorm(), reads: "b"), Node("sum", Add(), reads: "r1", "bn"),
          Node("r2", ReLU(), reads: "sum"),
          Node("pool", Pooling(.largest, Extent(3), stride: 2, padding: 1), reads: "r2"),
          Node("c", Conv2d(6, kernel: Extent(1), groups: 2), reads: "pool"),
          Node("flat", Flatten(), reads: "c"), Node("head", Dense(4), reads: "flat"),
        ])
      : try Graph(
        parsing: """
          {"input": [1, 14, 13], "nodes": [
            {"name": "a", "layer": "conv2d(5,kernel=3,padding=2,dilation=2)", "inputs": ["input"]},
            {"name": "r1", "layer": "relu", "inputs": ["a"]},
            {"name": "p1", "layer": "avgpool(3,stride=2,padding=1)", "inputs": ["r1"]},
            {"name": "b", "layer": "conv2d(20,kernel=3x2,stride=2,padding=1)", "inputs": ["p1"]},
            {"name": "r2", "layer": "relu", "inputs": ["b"]},
            {"name": "p2", "layer": "maxpool(2,stride=1)", "inputs": ["r2"]},
            {"name": "c", "layer": "conv2d(24,kernel=3,bias=no)", "inputs": ["p2"]},
            {"name": "p3", "layer": "globalmean", "inputs": ["c"]},
            {"name": "flat", "layer": "flatten", "inputs": ["p3"]},
            {"name": "d", "layer": "dense(9)", "inputs": ["flat"]},
            {"name": "dn", "layer": "batchnorm", "inputs": ["d"]},
            {"name": "r3", "layer": "relu", "inputs": ["dn"]},
            {"name": "head", "layer": "dense(4)", "inputs": ["r3"]}]}
          """)
  }

  private func problem(_ fixture: Fixture, _ name: String) throws -> (Network, Batch) {
    let graph = try graph(name)
    var network = Network(
      graph, parameters: try fixture.parameters(graph, prefix: "\(name).parameters."))
    for buffer in graph.buffers where buffer.role != .count {
      network.buffers.replaceSubrange(
        buffer.range, with: try fixture.floats("\(name).parameters.\(buffer.name)"))
    }
    var batch = Batch(capacity: 6, features: graph.inputs)
    batch.inputs = try fixture.floats("\(name).inputs")
    batch.labels = try fixture.integers("\(name).labels")
    batch.count = 6
    return (network, batch)
  }

  private func largestDifference(_ found: some Collection<Float>, _ expected: [Double]) -> Double {
    guard found.count == expected.count else { return .infinity }
    return zip(found, expected).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
  }

  @Test(arguments: ["first", "second"], [1, 2])
  func `logits, gradients and running statistics are PyTorch's`(name: String, threads: Int) throws {
    let fixture = try Fixture("convolutional")
    var (network, batch) = try problem(fixture, name)
    var workspace = Workspace(network.graph, capacity: 7, threads: threads)
    network.forwardTraining(batch.inputs, rows: 6, workspace: &workspace)
    let logits = workspace.logits.prefix(24)
    #expect(largestDifference(logits, try fixture.doubles("\(name).logits")) < 1e-5)
    let value = CrossEntropy().evaluate(batch, workspace: &workspace)
    #expect(abs(value.loss - (try fixture.doubles("\(name).loss")[0])) < 1e-6)
    var gradient = [Float](repeating: .nan, count: network.parameters.count)
    network.backward(batch.inputs, rows: 6, workspace: &workspace, gradient: &gradient)
    for tensor in network.graph.tensors {
      let expected = try fixture.doubles("\(name).gradient.\(tensor.name)")
      // Biases before a normalisation have none but for rounding.
      let size = max(expected.map(abs).max() ?? 0, 0.1)
      let difference = largestDifference(gradient[tensor.range], expected)
      #expect(difference < 2e-4 * size, "\(tensor.name): \(difference / size)")
    }
    for buffer in network.graph.buffers {
      if buffer.role == .count {
        #expect(network.buffers[buffer.range] == [1])
        #expect(try fixture.integers("\(name).after.\(buffer.name)") == [1])
      } else {
        let expected = try fixture.doubles("\(name).after.\(buffer.name)")
        #expect(largestDifference(network.buffers[buffer.range], expected) < 1e-5, "\(buffer.name)")
      }
    }
    var used = Workspace(network.graph, capacity: 6, purpose: .inference)
    network.forward(batch.inputs, rows: 6, workspace: &used)
    #expect(largestDifference(used.logits, try fixture.doubles("\(name).inference")) < 2e-6)
  }

  /// Central differences of the loss, in both modes, along random directions.
  @Test(arguments: ["first", "second"], [false, true])
  func `the gradient is the loss's slope`(name: String, isTraining: Bool) throws {
    let fixture = try Fixture("convolutional")
    let (network, batch) = try problem(fixture, name)
    func loss(_ parameters: [Float]) -> (Double, [Float]) {
      var own = Network(network.graph, parameters: parameters, buffers: network.buffers)
      var workspace = Workspace(network.graph, capacity: 6)
      if isTraining {
        own.forwardTraining(batch.inputs, rows: 6, workspace: &workspace)
      } else {
        own.forward(batch.inputs, rows: 6, workspace: &workspace)
      }
      let value = CrossEntropy().evaluate(batch, workspace: &workspace)
      var gradient = [Float](repeating: .nan, count: parameters.count)
      own.backward(batch.inputs, rows: 6, workspace: &workspace, gradient: &gradient)
      return (value.loss, gradient)
    }
    let gradient = loss(network.parameters).1
    for tensor in network.graph.tensors {
      // Along the tensor's own gradient, so that rounding does not hide it.
      let own = gradient[tensor.range].map { Double($0) }
      let norm = own.reduce(0) { $0 + $1 * $1 }.squareRoot()
      guard norm > 1e-4 else { continue }
      let step = 5e-4
      let slopes = [1.0, -1.0].map { sign in
        var moved = network.parameters
        for (i, place) in tensor.range.enumerated() {
          moved[place] += Float(sign * step * own[i] / norm)
        }
        return loss(moved).0
      }
      let slope = (slopes[0] - slopes[1]) / (2 * step)
      #expect(abs(slope - norm) < 0.02 * norm + 1e-3, "\(tensor.name): \(slope), not \(norm)")
    }
  }

  static let isPossible = Python.imports("torch", "safetensors")

  /// Ten steps from the same weights on the same batches.
  @Test(
    .enabled(
      if: isPossible,
      "needs a Python with torch and safetensors; PERMAVG_PYTHON names its interpreter"),
    .timeLimit(.minutes(5)),
    arguments: [
      "lenet5", "cnn:3x12x16-5", "vgg11bn:3x16x16-10", "resnet8:3x16x12-7",
      "resnet20:1x12x12-10", "resnet8x2:1x12x12-10",
    ])
  func `families learn as in PyTorch`(text: String) throws {
    let graph = try Graph(parsing: text)
    let network = Network(graph, random: RandomStream(seed: 3, "network"))
    // Where a channel has sixteen numbers in a batch, steps are soon chaotic.
    let (steps, rows, rate) = (text.hasPrefix("vgg11bn") ? 6 : 10, 16, Float(0.005))
    var tensors = [Safetensors.Tensor(name: "rate", shape: [1], floats: [rate])]
    var batches: [Batch] = []
    for step in 0..<steps {
      var batch = Batch(capacity: rows, features: graph.inputs)
      batch.count = rows
      batch.inputs = normals(rows * graph.inputs, seed: step)
      batch.labels = (0..<rows).map { ($0 * 7 + step) % graph.outputs }
      batches.append(batch)
      tensors.append(
        .init(name: "inputs.\(step)", shape: [rows] + graph.inputShape, floats: batch.inputs))
      tensors.append(.init(name: "labels.\(step)", shape: [rows], integers: batch.labels))
    }
    try withTemporaryFolder { folder in
      try network.checkpoint().write(to: "\(folder)/network.safetensors")
      try Safetensors(tensors: tensors).write(to: "\(folder)/batches.safetensors")
      let out = "\(folder)/out.safetensors"
      let outcome = try Python.script(
        "convolutional.py", "train", text, "\(folder)/network.safetensors",
        "\(folder)/batches.safetensors", out)
      try #require(outcome.status == 0)
      let file = try Safetensors(contentsOf: out)
      let losses = try #require(file["losses"]?.doubles)
      let losses32 = try #require(file["losses32"]?.doubles)
      var learner = Learner(
        GradientDescent(network, learningRate: rate, momentum: 0.9, weightDecay: 5e-4),
        schedule: .constant, steps: steps, batchSize: rows)
      for (step, batch) in batches.enumerated() {
        let value = try learner.step(batch, minimizing: CrossEntropy())
        // As near as PyTorch comes in single precision: steps are chaotic where a batch is normalised.
        let rounding = zip(losses, losses32).prefix(step + 1).reduce(0) {
          max($0, abs($1.0 - $1.1))
        }
        #expect(
          abs(value.loss - losses[step]) < 10 * rounding + 1e-5 * losses[step],
          "step \(step): \(value.loss), \(losses[step]), in float32 \(losses32[step])")
      }
      #expect(abs(losses32[0] - losses[0]) < 1e-5 * losses[0])
      let after = learner.subject.network
      var workspace = Workspace(graph, capacity: rows, purpose: .inference)
      after.forward(batches[0].inputs, rows: rows, workspace: &workspace)
      let expected = try #require(file["logits"]?.doubles)
      let size = expected.map(abs).max() ?? 0
      let rounding = zip(expected, try #require(file["logits32"]?.doubles)).reduce(0) {
        max($0, abs($1.0 - $1.1))
      }
      #expect(largestDifference(workspace.logits, expected) < 10 * rounding + 1e-5 * size)

      // A checkpoint that PyTorch wrote, without a word of what it is.
      let names = graph.tensorNames
      let plain = Safetensors(
        tensors: names.compactMap { name in
          guard let own = file["after.\(name)"] else { return nil }
          return own.integers.map { .init(name: name, shape: own.shape, integers: $0) }
            ?? own.doubles.map { .init(name: name, shape: own.shape, floats: $0.map { Float($0) }) }
        })
      if text == "lenet5" {
        #expect(try LoadedNetwork(plain, path: "plain").network.graph == graph)
      }
    }
  }

  @Test(arguments: [
    "lenet5", "lenet5:3x32x32-10", "cnn", "vgg11", "vgg11bn:3x32x32-100", "resnet8",
    "resnet20x2:3x32x32-100",
  ])
  func `a checkpoint without a word of what it is is read off its names`(text: String) throws {
    let graph = try Graph(parsing: text)
    let network = Network(graph, random: RandomStream(seed: 3, "network"))
    let file = network.checkpoint()
    let plain = Safetensors(tensors: file.tensors)
    #expect(try LoadedNetwork(plain, path: "plain").network == network)
  }

  @Test(arguments: ["lenet5", "cnn", "vgg11bn", "vgg16", "resnet20", "resnet20x4:3x32x32-100"])
  func `a family's text makes one graph, by JSON too`(text: String) throws {
    let graph = try Graph(parsing: text)
    #expect(graph.description == text && graph.family != nil)
    #expect(try Graph(parsing: GraphDescription(graph).json) == graph)
  }

  @Test func `every channel of ResNet20 and VGG11 may be permuted`() throws {
    let counts = try [
      ("resnet20", [16, 16, 16, 16, 32, 32, 32, 32, 64, 64, 64, 64]),
      ("vgg11bn", [64, 128, 256, 256, 512, 512, 512, 512]), ("lenet5", [6, 16, 120, 84]),
    ].map { (try Graph(parsing: $0).symmetry.groups.map(\.count), $1) }
    for (found, expected) in counts { #expect(found == expected) }
    // Every tensor but the images' channels and the classes is numbered by a group on each axis of channels.
    for text in ["resnet20", "vgg11bn"] {
      let graph = try Graph(parsing: text)
      for tensor in graph.tensors {
        let isFirst = tensor.node == 0
        let isLast = tensor.node == graph.nodes.count - 1
        if !isLast { #expect(graph.symmetry.group(of: tensor, axis: 0) != nil, "\(tensor.name)") }
        if tensor.shape.count > 1, !isFirst {
          #expect(
            graph.symmetry.groups.contains { group in
              group.places.contains { $0.tensor == tensor && $0.axis == 1 }
            }, "\(tensor.name)")
        }
      }
    }
  }

  @Test(arguments: [
    ("lenet5:1x2x2-10", "needs images"), ("resnet20:1x28-10", "expected resnet20:CHANNELS"),
    ("resnet21", "is no architecture"), ("vgg13", "is no architecture"),
    (
      "{\"input\":[3,8,8],\"nodes\":[{\"name\":\"a\",\"layer\":\"conv2d(8,kernel=3,groups=2)\",\"inputs\":[\"input\"]}]}",
      "node \"a\": conv2d(8,kernel=3,groups=2) has 2 groups, which do not divide 3 inputs"
    ),
    (
      "{\"input\":[3,8,8],\"nodes\":[{\"name\":\"a\",\"layer\":\"conv2d(8,kernel=3,size=2)\",\"inputs\":[\"input\"]}]}",
      "there is no layer"
    ),
    (
      "{\"input\":[8],\"nodes\":[{\"name\":\"a\",\"layer\":\"maxpool(2)\",\"inputs\":[\"input\"]}]}",
      "takes channels"
    ),
  ])
  func `what is no network is said with its node`(text: String, problem: String) {
    #expect(Graph.problem(with: text).contains(problem), "\(Graph.problem(with: text))")
  }
}
