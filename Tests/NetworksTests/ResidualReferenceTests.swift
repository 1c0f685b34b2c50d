import Foundation
import Networks
import Tensors
import TestSupport
import Testing

/// Residual networks and layer normalisation against PyTorch in double precision.
@Suite struct ResidualReferenceTests {
  static let text = "residual:8-6x2-4"

  @Test func `logits, loss and gradients are PyTorch's`() throws {
    let fixture = try Fixture("residual")
    let (network, batch) = try referenceProblem(fixture)
    let own = lossAndGradient(network, batch)
    #expect(largestDifference(own.logits, try fixture.doubles("logits")) < 1e-6)
    #expect(abs(own.loss - (try fixture.doubles("loss")[0])) < 2e-7)
    for tensor in network.graph.tensors {
      #expect(
        largestDifference(
          own.gradient[tensor.range], try fixture.doubles("gradient.\(tensor.name)")) < 5e-7,
        "\(tensor.name)")
    }
  }

  @Test func `five steps of SGD whose decay spares the norms are PyTorch's`() throws {
    let fixture = try Fixture("residual")
    var (network, batch) = try referenceProblem(fixture)
    var optimizer = SGD(network.graph, momentum: 0.9, weightDecay: 1e-2)
    for loss in try fixture.doubles("losses") {
      let own = lossAndGradient(network, batch)
      #expect(abs(own.loss - loss) < 1e-6)
      optimizer.step(&network.parameters, gradient: own.gradient, learningRate: 0.1)
    }
    try expectAfter(fixture, network)
  }

  @Test func `a learner's five steps are PyTorch's`() throws {
    let fixture = try Fixture("residual")
    let (network, batch) = try referenceProblem(fixture)
    var learner = Learner(
      GradientDescent(network, learningRate: 0.1, momentum: 0.9, weightDecay: 1e-2),
      schedule: .constant, steps: 5, batchSize: 20)
    for loss in try fixture.doubles("losses") {
      let value = try learner.step(batch, minimizing: CrossEntropy())
      #expect(abs(value.loss - loss) < 1e-6)
    }
    try expectAfter(fixture, learner.subject.network)
  }

  @Test func `layer normalisation and its gradients are PyTorch's`() throws {
    let fixture = try Fixture("layernorm")
    let (x, cotangent) = (try fixture.floats("input"), try fixture.floats("cotangent"))
    let (gain, shift) = (try fixture.floats("weight"), try fixture.floats("bias"))
    var output = [Float](repeating: .nan, count: 35)
    var statistics = [Float](repeating: .nan, count: 14)
    var (gainGradient, shiftGradient) = (output, output)
    gainGradient.removeLast(30)
    shiftGradient.removeLast(30)
    var inputGradient = [Float](repeating: 1, count: 35)
    x.withUnsafeBufferPointer { x in
      gain.withUnsafeBufferPointer { gain in
        output.withUnsafeMutableBufferPointer { output in
          statistics.withUnsafeMutableBufferPointer { statistics in
            shift.withUnsafeBufferPointer { shift in
              normalizeRows(
                x, rows: 7, gain: gain, shift: shift, epsilon: 1e-5, into: output,
                statistics: statistics)
            }
            cotangent.withUnsafeBufferPointer { cotangent in
              gainGradient.withUnsafeMutableBufferPointer { gainGradient in
                shiftGradient.withUnsafeMutableBufferPointer { shiftGradient in
                  inputGradient.withUnsafeMutableBufferPointer { inputGradient in
                    for isAdded in [true, false, true] {
                      normalizeRowsBackward(
                        x, rows: 7, gain: gain, statistics: UnsafeBufferPointer(statistics),
                        outputGradient: cotangent, gainGradient: gainGradient,
                        shiftGradient: shiftGradient, inputGradient: inputGradient,
                        isAdded: isAdded)
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
    // Row 5 lies at 30 with a deviation of one, which costs five bits.
    #expect(largestDifference(output, try fixture.doubles("output")) < 1e-5)
    #expect(largestDifference(gainGradient, try fixture.doubles("gradient.weight")) < 1e-5)
    #expect(largestDifference(shiftGradient, try fixture.doubles("gradient.bias")) < 1e-6)
    let expected = try fixture.doubles("gradient.input")
    // It was overwritten, and then added once more.
    for (i, own) in inputGradient.enumerated() {
      #expect(abs(Double(own) / 2 - expected[i]) < 2e-6 * max(1, abs(expected[i])), "entry \(i)")
    }
  }

  @Test func `a network of one layer normalisation is PyTorch's`() throws {
    let fixture = try Fixture("layernorm")
    let graph = try Graph(input: [5], [Node("norm", LayerNorm(), reads: "input")])
    let network = Network(graph, parameters: try fixture.floats("weight") + fixture.floats("bias"))
    let inputs = try fixture.floats("input")
    var workspace = Workspace(graph, capacity: 7)
    network.forward(inputs, rows: 7, workspace: &workspace)
    #expect(largestDifference(workspace.logits, try fixture.doubles("output")) < 1e-5)
    #expect(logits(network, inputs, rows: 7) == workspace.logits)
    workspace.logitGradient = try fixture.floats("cotangent")
    var gradient = [Float](repeating: .nan, count: 10)
    network.backward(inputs, rows: 7, workspace: &workspace, gradient: &gradient)
    let expected = try fixture.doubles("gradient.weight") + fixture.doubles("gradient.bias")
    #expect(largestDifference(gradient, expected) < 1e-5)
  }

  static let isPossible = Python.imports("torch", "safetensors")

  @Test(
    .enabled(
      if: isPossible,
      "needs a Python with torch and safetensors; PERMAVG_PYTHON names its interpreter"),
    arguments: ["residual:8-6x2-4", "residual:20-33x5-10"])
  func `a network that PyTorch saved is read, and PyTorch reads ours strictly`(text: String) throws
  {
    try withTemporaryFolder { folder in
      let saved = "\(folder)/saved.safetensors"
      #expect(try Python.script("residual.py", "save", text, saved, "3").status == 0)
      let theirs = try Safetensors(contentsOf: saved)
      #expect(theirs.metadata["architecture"] == nil)
      let network = try Network(theirs, path: saved)
      #expect(network.graph.description == text)

      let (inputs, answers) = ("\(folder)/inputs.safetensors", "\(folder)/answers.safetensors")
      let rows = normals(9 * network.graph.inputs, seed: 1)
      try Safetensors(tensors: [
        .init(name: "inputs", shape: [9, network.graph.inputs], floats: rows)
      ]).write(to: inputs)
      let ours = "\(folder)/ours.safetensors"
      try network.checkpoint(metadata: ["normalization": "0.5,0.5"]).write(to: ours)
      for path in [saved, ours] {
        #expect(try Python.script("residual.py", "logits", text, path, inputs, answers).status == 0)
        let expected = try #require(try Safetensors(contentsOf: answers)["logits"]?.doubles)
        #expect(largestDifference(logits(network, rows, rows: 9), expected) < 5e-6)
      }
    }
  }

  private func referenceProblem(_ fixture: Fixture) throws -> (Network, Batch) {
    let graph = try #require(Graph(Self.text))
    var batch = Batch(capacity: 20, features: 8)
    batch.count = 20
    batch.inputs = try fixture.floats("inputs")
    batch.labels = try fixture.integers("labels")
    return (Network(graph, parameters: try fixture.parameters(graph, prefix: "parameters.")), batch)
  }

  private func expectAfter(_ fixture: Fixture, _ network: Network) throws {
    for tensor in network.graph.tensors {
      #expect(
        largestDifference(
          network.parameters[tensor.range], try fixture.doubles("after.\(tensor.name)")) < 1e-6,
        "\(tensor.name)")
    }
  }
}

/// The largest difference of floats from doubles, element by element; infinity if their lengths differ.
private func largestDifference(_ a: some Collection<Float>, _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).reduce(0) {
    let difference = abs(Double($1.0) - $1.1)
    return difference.isNaN ? .infinity : max($0, difference)
  }
}
