import Networks
import TestSupport
import Testing

@testable import Merging

/// What merging learns can be put down in the middle and taken up again, to the same bytes.
@Suite struct LearnerStateTests {
  static let graphs = ["6-9-7-4", TestGraphs.residual[0], TestGraphs.mixed]

  @Test(arguments: graphs, [Float?.none, 0.05])
  func `matrices go on from where they were saved`(text: String, unitRate: Float?) throws {
    let problem = try MethodInvarianceTests.Problem(text)
    var settings = PermutedCopies.settings(epochs: 3)
    settings.unitLearningRate = unitRate
    try check(problem) {
      try PermutationLearner(problem.members, settings: settings, threads: 1)
    } change: {
      // As annealing does; what is saved has to hold it.
      $0.temperature = 0.7
    }
  }

  @Test(arguments: graphs)
  func `unit weights go on from where they were saved`(text: String) throws {
    let problem = try MethodInvarianceTests.Problem(text)
    try check(problem) {
      try UnitWeightedMean(problem.members, learningRate: 0.05, with: ThreadTeam())
    } change: { _ in
    }
  }

  /// Three batches an epoch, saved in the middle of the second epoch.
  private func check<Subject: Learnable>(
    _ problem: MethodInvarianceTests.Problem, _ make: () throws -> Subject,
    change: (inout Subject) -> Void
  ) throws {
    let batches = problem.batches
    #expect(batches.batchesPerEpoch == 3)
    func learner() throws -> Learner<Subject> {
      Learner(try make(), schedule: .cosine, steps: 9, batchSize: 32)
    }
    func goOn(_ learner: inout Learner<Subject>) throws -> [EpochAverages] {
      var averages: [EpochAverages] = []
      try learner.learn(
        from: batches, minimizing: CrossEntropy(),
        endEpoch: { _, epoch, _ in averages.append(epoch) })
      return averages
    }
    var whole = try learner()
    var states: [LearnerState] = []
    for step in 0..<4 {
      var batch = Batch(capacity: 32, features: batches.features)
      batches.fill(&batch, with: step % 3)
      _ = try whole.step(batch, minimizing: CrossEntropy())
      if step == 1 { change(&whole.subject) }
      states.append(whole.state)
    }
    let saved = try #require(states.last)
    #expect(saved.step == 4 && saved.steps == 9)
    var resumed = try learner()
    #expect(resumed.state != saved)
    try resumed.restore(saved)
    #expect(resumed.state == saved)
    #expect(resumed.subject.network == whole.subject.network)
    let (own, other) = (try goOn(&whole), try goOn(&resumed))
    #expect(own == other && own.count == 2)
    #expect(resumed.subject.network == whole.subject.network)
    #expect(resumed.state == whole.state && whole.state.step == 9)
    // The optimisers' memory matters: without it the end is another.
    var forgetful = try learner()
    var emptied = saved
    emptied.arrays = saved.arrays.map {
      let isMemory = $0.name.contains("first") || $0.name.contains("second")
      return isMemory ? LearnerState.Array($0.name, $0.values.map { _ in 0 }) : $0
    }
    try forgetful.restore(emptied)
    _ = try goOn(&forgetful)
    #expect(forgetful.subject.network != whole.subject.network)

    // Another learner's state is refused.
    for array in saved.arrays where array.name != "buffers" {
      var without = saved
      without.arrays.removeAll { $0 == array }
      let error = #expect(throws: LearnerStateError.self) { try resumed.restore(without) }
      #expect(error?.description == "the state has no \"\(array.name)\"")
      var longer = without
      longer.arrays.append(.init(array.name, array.values + [0]))
      let wrong = #expect(throws: LearnerStateError.self) { try resumed.restore(longer) }
      #expect(
        wrong?.description
          == "\"\(array.name)\" has \(array.values.count + 1) numbers, the learner needs"
          + " \(array.values.count)")
    }
    var longRun = saved
    longRun.steps = 10
    let error = #expect(throws: LearnerStateError.self) { try resumed.restore(longRun) }
    #expect(error?.description == "the state is of step 4 of 10, the learner takes 9")
  }
}
