import Tensors
import TestSupport
import Testing

@testable import Networks

/// Losses and their gradients with respect to the logits.
@Suite struct LossTests {
  @Test func `the distillation loss and its gradient are PyTorch's`() throws {
    let fixture = try Fixture("network")
    var (workspace, batch) = try studentOfFive(fixture)
    batch.targets = try fixture.floats("teacher")
    let value = DistillationLoss(alpha: 0.5, temperature: 3)
      .evaluate(batch, workspace: &workspace)
    let expectedLoss = try fixture.floats("distillation.loss")[0]
    #expect(abs(Float(value.loss) - expectedLoss) < 2e-6)
    // Entries are below 1/16, so this is single units of rounding.
    let expected = try fixture.floats("distillation.gradient")
    #expect(largestDifference(workspace.logitGradient, expected) < 2e-8)
  }

  @Test(arguments: [Float(1), 3, 20])
  func `distillation without soft targets is cross entropy`(temperature: Float) throws {
    var (workspace, batch) = try studentOfFive(try Fixture("network"))
    let hard = CrossEntropy().evaluate(batch, workspace: &workspace)
    let hardGradient = workspace.logitGradient
    batch.targets = softmax(normals(16 * 5, seed: 1), classes: 5)
    let value = DistillationLoss(alpha: 0, temperature: temperature)
      .evaluate(batch, workspace: &workspace)
    #expect(value == hard)
    #expect(largestDifference(workspace.logitGradient, hardGradient) < 1e-8)
  }

  @Test func `distillation from the student's own predictions has no soft gradient`() throws {
    var (workspace, batch) = try studentOfFive(try Fixture("network"))
    batch.targets = softmax(workspace.logits, classes: 5, temperature: 4)
    let value = DistillationLoss(alpha: 1, temperature: 4).evaluate(batch, workspace: &workspace)
    #expect(abs(value.loss) < 1e-5)
    #expect(workspace.logitGradient.allSatisfy { abs($0) < 1e-7 })
  }

  @Test func `targets of zero are no trouble`() throws {
    var (workspace, batch) = try studentOfFive(try Fixture("network"))
    // A one-hot target: KL(q ‖ p) is then the cross entropy with the target's class.
    batch.targets = batch.labels.flatMap { label in (0..<5).map { $0 == label ? 1 : 0 } }
    let soft = DistillationLoss(alpha: 1, temperature: 1).evaluate(batch, workspace: &workspace)
    let hard = CrossEntropy().evaluate(batch, workspace: &workspace)
    #expect(abs(soft.loss - hard.loss) < 1e-6)
    #expect(soft.correct == hard.correct)
  }

  @Test func `only the batch's samples count, and ties go to the lowest class`() throws {
    let graph = try #require(Graph("1-3"))
    var workspace = Workspace(graph, capacity: 3)
    workspace.values = [2, 2, 0, 0, 1, 1, 9, 0, 0]
    var batch = Batch(capacity: 3, features: 1)
    batch.count = 2
    batch.labels = [0, 2, 0]
    #expect(CrossEntropy().evaluate(batch, workspace: &workspace).correct == 1)
    let sums = [0, 1].map { workspace.logitGradient[$0 * 3..<$0 * 3 + 3].reduce(0, +) }
    #expect(sums.allSatisfy { abs($0) < 1e-7 })
    #expect(workspace.logitGradient[6...] == [0, 0, 0])
  }

  @Test func `huge logits give huge losses, not infinite ones`() throws {
    let graph = try #require(Graph("1-3"))
    var workspace = Workspace(graph, capacity: 1)
    workspace.values = [1e4, 9999, -1e4]
    var batch = Batch(capacity: 1, features: 1)
    batch.count = 1
    batch.targets = [0, 0, 1]
    for (label, loss) in [(0, 0.3133), (1, 1.3133), (2, 20_000.3133)] {
      batch.labels = [label]
      let hard = CrossEntropy().evaluate(batch, workspace: &workspace)
      #expect(abs(hard.loss - loss) < 2e-3)
      #expect(workspace.logitGradient.allSatisfy { abs($0) <= 1 })
    }
    let soft = DistillationLoss(alpha: 1, temperature: 2).evaluate(batch, workspace: &workspace)
    #expect(abs(soft.loss - 4 * 10_000.474) < 1e-2)
  }

  /// A workspace that holds the fixture's logits, and the batch they belong to.
  private func studentOfFive(_ fixture: Fixture) throws -> (Workspace, Batch) {
    let graph = try #require(Graph("12-5"))
    var workspace = Workspace(graph, capacity: 16)
    workspace.values = try fixture.floats("logits")
    return (workspace, try referenceNetwork(fixture).1)
  }
}
