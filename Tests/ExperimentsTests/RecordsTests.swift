import Foundation
import TestSupport
import Testing

@testable import Experiments

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
      let results = Results(
        rows: [], disagreement: nil,
        lines: [
          .init(
            from: 0, to: 1, alignment: "naive",
            points: [.init(lambda: 0.5, training: value, test: value)])
        ],
        barriers: [
          .init(
            alignment: "a+b", pairs: [.init(from: 0, to: 1, points: 25, barrier: values)],
            mean: values, largest: values, simplex: place, barycentre: place)
        ])
      let folder = RunFolder(path)
      try folder.writeJSON(results, "results.json")
      #expect(try folder.readResults() == results)
    }
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
    experiment = Recipe.default.experiment
    experiment.merging.permAVG.sinkhorn.temperature = 0
    #expect(throws: UsageError.self) { try experiment.validate() }
  }

  @Test func `the thesis' figures stand beside the thesis' experiment alone`() {
    #expect(Recipe.thesis.experiment.isThesis)
    var other = Recipe.thesis.experiment
    other.seed = 9
    #expect(other.isThesis)
    other.training.epochs = 2
    #expect(!other.isThesis)
    #expect(!Recipe.default.experiment.isThesis)
  }

  @Test func `a learning log keeps its order whatever the order of writing`() throws {
    func curve(_ stage: String, _ index: Int, _ loss: Double) -> [LearningLog.Record] {
      (1...3).map {
        .init(stage: stage, index: index, epoch: $0, loss: loss / Double($0), accuracy: 0.5)
      }
    }
    var a = LearningLog()
    a.replace(stage: "member", index: 1, with: curve("member", 1, 2))
    a.replace(stage: "member", index: 0, with: curve("member", 0, 1))
    var b = LearningLog()
    b.replace(stage: "member", index: 0, with: curve("member", 0, 7))
    b.replace(stage: "member", index: 1, with: curve("member", 1, 2))
    b.replace(stage: "member", index: 0, with: curve("member", 0, 1))
    #expect(try a.encoded() == b.encoded())
    #expect(try LearningLog(a.encoded(), path: "x") == a)
    #expect(a.curves("member").map(\.index) == [0, 1])
  }

  @Test func `a broken line of a learning log is named`() throws {
    let error = #expect(throws: RunFolderError.self) {
      try LearningLog(Data("{\"stage\":1}\n".utf8), path: "metrics.jsonl")
    }
    #expect(error?.description.contains("metrics.jsonl: line 1") == true)
  }

  @Test func `a JSON file that is not ours is named with what is wrong`() throws {
    try withTemporaryFolder { folder in
      try write(Array("{\"version\": 1}".utf8), to: "\(folder)/experiment.json")
      let error = #expect(throws: RunFolderError.self) {
        try RunFolder(folder).readExperiment()
      }
      #expect(error?.description.contains("recipe is missing") == true)
    }
  }
}

@Suite struct TerminalTests {
  @Test func `numbers are written for people`() {
    #expect(grouped(0) == "0" && grouped(407_050) == "407,050" && grouped(1_221_150) == "1,221,150")
    #expect(readableBytes(812) == "812 B" && readableBytes(1_628_200) == "1.63 MB")
    #expect(readableDuration(0.345) == "0.34 s" || readableDuration(0.345) == "0.35 s")
    #expect(readableDuration(12.44) == "12.4 s" && readableDuration(185) == "3 min 05 s")
    #expect(readableDuration(7830) == "2 h 10 min")
    #expect(tickText(0.25) == "0.25" && tickText(88) == "88" && tickText(100) == "100")
    #expect(counted(1, "rank") == "1 rank" && counted(3, "rank") == "3 ranks")
  }

  @Test func `a table lines its columns up`() {
    var table = TextTable(["name", "value"])
    table.append(["a", "1"])
    table.append(["longer", "22.5"])
    #expect(table.text.split(separator: "\n").allSatisfy { $0.count == 13 })
  }

  @Test(arguments: [[0.0, 1], [88.1, 88.9], [0.31, 0.31], [-3, 700], [1e-4, 2e-4]])
  func `an axis holds its values between round ticks`(values: [Double]) throws {
    for isTight in [false, true] {
      let axis = try #require(Axis(values, isTight: isTight))
      for value in values { #expect((-1e-9...1 + 1e-9).contains(axis.position(value))) }
      #expect(axis.high > axis.low && axis.ticks.count <= 12)
    }
    #expect(Axis([]).map(\.low) == nil)
  }

  @Test func `text in a page cannot become markup`() {
    #expect(escaped("<b a=\"1\">&") == "&lt;b a=&quot;1&quot;&gt;&amp;")
  }
}
