import TestSupport
import Testing

@testable import Networks

/// Forward and backward passes, against PyTorch and against the definition.
@Suite struct PassesTests {
  /// Sums of about ten products of numbers near one, in float32: a few units of 6e-8.
  static let rounding: Float = 2e-6

  @Test func `logits, loss and gradients are PyTorch's`() throws {
    let fixture = try Fixture("network")
    let (network, batch) = try referenceNetwork(fixture)
    var workspace = Workspace(network.architecture, capacity: batch.count)
    network.forward(batch.inputs, rows: batch.count, workspace: &workspace)
    let expectedLogits = try fixture.floats("logits")
    #expect(largestDifference(workspace.logits, expectedLogits) < Self.rounding)

    let value = CrossEntropy().evaluate(batch, workspace: &workspace)
    let expectedLoss = try fixture.floats("loss")[0]
    #expect(abs(Float(value.loss) - expectedLoss) < Self.rounding)

    var gradient = [Float](repeating: .nan, count: network.parameters.count)
    network.backward(
      batch.inputs, rows: batch.count, workspace: &workspace, gradient: &gradient)
    let expected = try fixture.parameters(network.architecture, prefix: "gradient.")
    #expect(largestDifference(gradient, expected) < Self.rounding)
  }

  @Test(arguments: ["6-5-4-3", "6-5-3", "6-3"])
  func `a network is its first layer and the rest`(text: String) throws {
    let architecture = try #require(Architecture(text))
    let network = Network(architecture, random: RandomStream(seed: 1, "network"))
    let inputs = normals(7 * 6, seed: 1)
    func logits(_ network: Network, _ inputs: [Float]) -> [Float] {
      var workspace = Workspace(network.architecture, capacity: 7)
      network.forward(inputs, rows: 7, workspace: &workspace)
      return workspace.logits
    }
    let (first, rest) = network.split
    let preactivations = logits(first, inputs)
    let parts = rest.map { logits($0, preactivations.map { max($0, 0) }) } ?? preactivations
    #expect(parts == logits(network, inputs))
    #expect((rest == nil) == (architecture.layers.count == 1))
    #expect(preactivations.contains { $0 < 0 })
  }

  @Test(arguments: 0..<12)
  func `a backward pass agrees with central differences`(seed: Int) throws {
    let (network, inputs, labels) = randomProblem(seed: seed)
    let reference = DoubleNetwork(network)
    let outcome = reference.run(inputs, labels: labels)

    var batch = Batch(capacity: labels.count, features: network.architecture.inputs)
    (batch.count, batch.inputs, batch.labels) = (labels.count, inputs, labels)
    var workspace = Workspace(network.architecture, capacity: labels.count)
    network.forward(inputs, rows: labels.count, workspace: &workspace)
    #expect(largestDifference(workspace.logits, outcome.logits.map(Float.init)) < 1e-5)
    let value = CrossEntropy().evaluate(batch, workspace: &workspace)
    #expect(abs(value.loss - outcome.loss) < 1e-5)

    var gradient = [Float](repeating: .nan, count: network.parameters.count)
    network.backward(inputs, rows: labels.count, workspace: &workspace, gradient: &gradient)
    var compared = 0
    for index in gradient.indices {
      guard
        let difference = reference.centralDifference(index, inputs: inputs, labels: labels)
      else { continue }
      compared += 1
      // The gradient's own rounding; the difference in double is good to 1e-9.
      #expect(abs(Double(gradient[index]) - difference) < 1e-5, "parameter \(index)")
    }
    #expect(compared > gradient.count * 9 / 10)
  }

  @Test(arguments: 1...3)
  func `a workspace gives the same bits for smaller batches and any number of threads`(
    threads: Int
  ) throws {
    let architecture = try #require(Architecture("784-300-10"))
    let network = Network(architecture, random: RandomStream(seed: 1, "network"))
    let inputs = normals(40 * 784, seed: 2)
    var first = Workspace(architecture, capacity: 40, threads: 1)
    network.forward(inputs, rows: 40, workspace: &first)
    var other = Workspace(architecture, capacity: 64, threads: threads)
    network.forward(inputs + inputs, rows: 40, workspace: &other)
    #expect(Array(other.logits.prefix(400)) == first.logits)
    #expect(other.outputs(ofLayer: 0).prefix(40 * 300).allSatisfy { $0 >= 0 })
  }

  /// A network of random depth and widths, with inputs and labels.
  private func randomProblem(seed: Int) -> (Network, inputs: [Float], labels: [Int]) {
    var random = RandomStream(seed: UInt64(seed), "problem")
    let hiddenLayers = seed % 4
    let widths = (0..<hiddenLayers + 2).map { _ in 2 + random.integer(below: 7) }
    guard let architecture = Architecture(widths: widths) else {
      preconditionFailure("\(widths)")
    }
    let network = Network(architecture, random: RandomStream(seed: UInt64(seed), "network"))
    let rows = 1 + random.integer(below: 6)
    return (
      network, (0..<rows * widths[0]).map { _ in random.normal() },
      (0..<rows).map { _ in random.integer(below: architecture.outputs) }
    )
  }
}

/// The network and the batch of `network.safetensors`.
func referenceNetwork(_ fixture: Fixture) throws -> (Network, Batch) {
  let architecture = try #require(Architecture("12-9-7-5"))
  let network = Network(architecture, parameters: try fixture.parameters(architecture))
  var batch = Batch(capacity: 16, features: 12)
  batch.count = 16
  batch.inputs = try fixture.floats("inputs")
  batch.labels = try fixture.integers("labels")
  return (network, batch)
}
