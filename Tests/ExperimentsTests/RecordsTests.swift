import Foundation
import Networks
import TestSupport
import Testing
import Training

@testable import Experiments
@testable import Merging

@Suite struct RecordsTests {
  @Test func `an experiment survives its file`() throws {
    for recipe in Recipe.allCases {
      let experiment = recipe.experiment
      let data = try JSONEncoder().encode(experiment)
      #expect(try JSONDecoder().decode(Experiment.self, from: data) == experiment)
      try experiment.validate()
    }
  }

  @Test func `results survive their file, barriers included`() throws {
    try withTemporaryFolder { path in
      let value = Results.Value(loss: 0.1, accuracy: 0.9)
      let values = Results.Values(training: value, test: .init(loss: -0.2, accuracy: 1.0 / 3))
      let place = Results.Barrier.Place(networks: 8, value: values, excess: .zero)
      let scores = Scores(accuracy: 1.0 / 3, nll: 0.1, brier: 0.2, ece: 0.3)
      let predictors: [Predictor] = [
        .member(0), .member(12), .ensemble(.logits), .ensemble(.probabilities),
        .merged(MethodChain(.naive), isHard: false),
        .merged(
          try MethodChain(parsing: "mergemany(restarts=9),permavg(epochs=1,temperature=1e-3)"),
          isHard: true), .merged(MethodChain(.bestMember, .fineTune), isHard: false), .student(3),
      ]
      let results = Results(
        rows: predictors.map {
          .init(
            predictor: $0, file: "a.safetensors", test: scores, validation: nil, parameters: 7,
            forwardPasses: 1)
        }, disagreement: nil,
        lines: [
          .init(
            from: 0, to: 1, alignment: nil,
            points: [.init(lambda: 0.5, training: value, test: value)])
        ],
        barriers: [
          .init(
            alignment: "a+b", pairs: [.init(from: 0, to: 1, points: 25, barrier: values)],
            mean: values, largest: values, simplex: place, barycentre: place)
        ])
      let folder = RunFolder(path)
      try folder.writeJSON(results, "results.json")
      let read = try #require(try folder.readResults())
      #expect(read == results)
      #expect(
        read.rows.map(\.predictor.kind) == [
          .member, .member, .ensemble, .ensemble, .merged, .merged, .control, .student,
        ])
      #expect(
        read.rows.map(\.predictor.name) == [
          "member 0", "member 12", "ensemble, mean logits", "ensemble, mean probabilities", "naive",
          "mergemany(restarts=9)+permavg(epochs=1,temperature=0.001)-hard", "best-member+fine-tune",
          "student 3",
        ])
    }
  }

  @Test func `a plan of a study survives its file`() throws {
    let chains = try ["naive", "mergemany(restarts=9),unit-weights(epochs=3)@8"].map {
      try #require(StudyChain($0))
    }
    let plan = StudyPlan(
      Recipe.default.experiment, sizes: [8, 2, 3, 2], seedCount: 2, chains: chains)
    #expect(plan.sizes == [2, 3, 8] && plan.experiment.members == 8)
    let data = try JSONEncoder().encode(plan)
    let read = try JSONDecoder().decode(StudyPlan.self, from: data)
    #expect(read == plan)
    #expect(read.chains.map(\.description) == chains.map(\.description))
    #expect(read.chains.map(\.largest) == [nil, 8])
    #expect(read.chains(at: 9).map(\.name) == ["naive"])
  }

  @Test func `differences name each setting that differs`() {
    let there = Recipe.default.experiment
    var here = there
    here.members = 5
    here.training.learningRate = 0.2
    #expect(here.differences(from: there).count == 2)
    #expect(here.differences(from: there).contains("members: 3 there, 5 here"))
    #expect(there.differences(from: there).isEmpty)
  }

  @Test func `settings out of range are refused by name`() {
    var experiment = Recipe.default.experiment
    experiment.training.momentum = 1
    #expect(throws: UsageError.self) { try experiment.validate() }
    experiment = Recipe.default.experiment
    experiment.distillation.alpha = .nan
    #expect(throws: UsageError.self) { try experiment.validate() }
    for members in [-2, 0, 100_001] {
      experiment = Recipe.default.experiment
      experiment.members = members
      let error = #expect(throws: UsageError.self) { try experiment.validate() }
      #expect(error?.description == "--members \(members): expected 1 to 100000")
    }
  }

  @Test func `a recipe's chains have its own settings`() throws {
    #expect(
      Recipe.default.chains.map(\.name) == [
        "naive", "permavg", "mergemany+unit-weights+refit-head",
      ])
    #expect(
      Recipe.thesis.chains.map(\.name)
        == ["naive", "permavg(schedule=thesis)", "mergemany+unit-weights+refit-head"])
  }

  @Test func `a learning log keeps its order whatever the order of writing`() throws {
    func curve(_ loss: Double) -> [EpochRecord] {
      (1...3).map { EpochRecord(epoch: $0, loss: loss / Double($0), accuracy: 0.5) }
    }
    let chain = MethodChain(.unitWeights, .fineTune)
    let steps = [0, 1].map { MergeState.Curve(step: $0, epochs: curve(Double($0 + 3))) }
    var a = LearningLog()
    a.replace(.student(0), with: curve(5))
    a.replace(.member(10), with: curve(2))
    a.replace(.member(9), with: curve(1))
    a.replace(merge: chain, with: steps)
    var b = LearningLog()
    b.replace(.member(9), with: curve(7))
    // More steps than in the end, in another order, and a chain whose name begins the same.
    b.replace(merge: chain, with: steps.reversed() + [.init(step: 2, epochs: curve(8))])
    b.replace(merge: MethodChain(.unitWeights), with: steps)
    b.replace(.member(10), with: curve(2))
    b.replace(.student(0), with: curve(5))
    b.replace(merge: chain, with: steps)
    b.replace(.member(9), with: curve(1))
    #expect(b.curves.count == 7)
    b.replace(merge: MethodChain(.unitWeights), with: [])
    #expect(try a.encoded() == b.encoded())
    #expect(try LearningLog(a.encoded(), path: "x") == a)
    #expect(
      a.curves.map(\.learner) == [
        .member(9), .member(10), .merge(chain: chain.name, step: 0),
        .merge(chain: chain.name, step: 1), .student(0),
      ])
    #expect(a.curves[3].epochs == curve(4))
  }

  @Test(arguments: [
    "{\"stage\":1}", "{\"stage\":\"member\",\"epoch\":1,\"loss\":1,\"accuracy\":1}",
    "{\"stage\":\"merge\",\"index\":0,\"epoch\":1,\"loss\":1,\"accuracy\":1}", "{",
  ])
  func `a broken line of a learning log is named`(line: String) throws {
    let good = "{\"accuracy\":1,\"epoch\":1,\"index\":0,\"loss\":1,\"stage\":\"member\"}\n"
    #expect(try LearningLog(Data(good.utf8), path: "x").curves.map(\.learner) == [.member(0)])
    let error = #expect(throws: RunFolderError.self) {
      try LearningLog(Data((good + line + "\n").utf8), path: "metrics.jsonl")
    }
    #expect(error?.description.contains("metrics.jsonl: line 2") == true)
  }

  @Test func `a JSON file that is not ours is named with what is wrong`() throws {
    try withTemporaryFolder { folder in
      try write(Array("{\"version\": 2}".utf8), to: "\(folder)/experiment.json")
      let error = #expect(throws: RunFolderError.self) {
        try RunFolder(folder).readExperiment()
      }
      #expect(error?.description.contains("recipe is missing") == true)
    }
  }
}
