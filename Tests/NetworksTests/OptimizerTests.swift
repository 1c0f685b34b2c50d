import Networks
import TestSupport
import Testing

/// Ten full-batch steps, and the rates of a run, against PyTorch.
@Suite struct OptimizerTests {
  @Test func `ten steps of SGD with momentum and weight decay are PyTorch's`() throws {
    let fixture = try Fixture("network")
    let (network, _) = try referenceNetwork(fixture)
    var optimizer = SGD(network.graph, momentum: 0.9, weightDecay: 1e-2)
    // Ten steps of rate 0.1 carry on the gradients' rounding of 1e-7.
    try check(fixture, "sgd", tolerance: 5e-6) { parameters, gradient in
      optimizer.step(&parameters, gradient: gradient, learningRate: 0.1)
    }
  }

  @Test func `ten steps of Adam are PyTorch's`() throws {
    let fixture = try Fixture("network")
    let (network, _) = try referenceNetwork(fixture)
    var optimizer = Adam(count: network.parameters.count)
    // Adam divides by the gradient's size, which magnifies the rounding of small gradients.
    try check(fixture, "adam", tolerance: 5e-5) { parameters, gradient in
      optimizer.step(&parameters, gradient: gradient, learningRate: 0.05)
    }
  }

  @Test func `schedules are PyTorch's CosineAnnealingLR`() throws {
    let fixture = try Fixture("network")
    for (schedule, name) in [(LearningRateSchedule.thesis, "thesis"), (.cosine, "cosine")] {
      let expected = try fixture.doubles("schedule.\(name)")
      #expect(expected.count == 100)
      for (step, rate) in expected.enumerated() {
        let own = 0.1 * Double(schedule.factor(step: step, of: 100))
        #expect(abs(own - rate) < 1e-8, "\(name), step \(step)")
      }
    }
  }

  @Test func `the thesis' schedule ends near its maximum, the cosine near zero`() {
    // 20 epochs of 118 batches: 2360 = 59 · 40 steps, so the next would be at the maximum again.
    let (last, total) = (2359, 2360)
    #expect(LearningRateSchedule.thesis.factor(step: last, of: total) > 0.99)
    #expect(LearningRateSchedule.thesis.factor(step: 20, of: total) == 0)
    #expect(LearningRateSchedule.cosine.factor(step: last, of: total) < 1e-5)
    #expect(LearningRateSchedule.cosine.factor(step: 0, of: 0) == 1)
    #expect((0..<50).allSatisfy { LearningRateSchedule.constant.factor(step: $0, of: 50) == 1 })
  }

  private func check(
    _ fixture: Fixture, _ name: String, tolerance: Float,
    step: (inout [Float], [Float]) -> Void
  ) throws {
    var (network, batch) = try referenceNetwork(fixture)
    var workspace = Workspace(network.graph, capacity: batch.count)
    var gradient = [Float](repeating: 0, count: network.parameters.count)
    for (index, loss) in try fixture.floats("\(name).losses").enumerated() {
      network.forward(batch.inputs, rows: batch.count, workspace: &workspace)
      let value = CrossEntropy().evaluate(batch, workspace: &workspace)
      #expect(abs(Float(value.loss) - loss) < tolerance, "loss of step \(index)")
      network.backward(
        batch.inputs, rows: batch.count, workspace: &workspace, gradient: &gradient)
      step(&network.parameters, gradient)
    }
    let expected = try fixture.parameters(network.graph, prefix: "\(name).")
    #expect(largestDifference(network.parameters, expected) < tolerance)
  }
}
