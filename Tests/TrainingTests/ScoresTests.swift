import Foundation
import Networks
import TestSupport
import Testing
import Training

/// Scores of probabilities, and ensembles of them.
@Suite struct ScoresTests {
  @Test func `scores of members and ensembles are NumPy's`() throws {
    let fixture = try MetricsFixture()
    var predictions: [(name: String, index: Int, probabilities: Probabilities)] =
      fixture.logits.indices.map {
        ("", $0, Probabilities(logits: fixture.logits[$0], classes: 10))
      }
    for combination in Combination.allCases {
      predictions.append(
        (
          "ensemble.\(combination.rawValue).", 0,
          ensemblePrediction(fixture.logits, classes: 10, combining: combination)
        ))
    }
    for (name, index, probabilities) in predictions {
      let scores = Scores(probabilities, labels: fixture.labels)
      // In double precision throughout, but that mean logits are rounded to float32.
      for (score, own) in [
        ("accuracy", scores.accuracy), ("nll", scores.nll), ("brier", scores.brier),
        ("ece", scores.ece),
      ] {
        let expected = try fixture.doubles("\(name)\(score)")[index]
        #expect(abs(own - expected) < 1e-7, "\(name)\(score) \(index)")
      }
    }
  }

  @Test func `disagreement is NumPy's`() throws {
    let fixture = try MetricsFixture()
    let members = fixture.logits.map { Probabilities(logits: $0, classes: 10) }
    let expected = try fixture.doubles("disagreement")[0]
    let own = try #require(meanPairwiseDisagreement(members))
    #expect(abs(own - expected) < 1e-12)
    #expect(meanPairwiseDisagreement([members[0]]) == nil)
    #expect(meanPairwiseDisagreement([members[0], members[0]]) == 0)
  }

  @Test(arguments: Combination.allCases)
  func `an ensemble of equal members is the member`(combination: Combination) throws {
    let logits = try MetricsFixture().logits[0]
    let member = Probabilities(logits: logits, classes: 10)
    let ensemble = ensemblePrediction(
      [logits, logits, logits], classes: 10, combining: combination)
    #expect(ensemble.count == member.count)
    for (a, b) in zip(ensemble.values, member.values) { #expect(abs(a - b) < 1e-6) }
  }

  @Test func `the ensembles differ where members disagree`() {
    // One member is sure of class 0, two lean to class 1.
    let logits: [[Float]] = [[10, 0], [0, 1], [0, 1]]
    let arithmetic = ensemblePrediction(logits, classes: 2, combining: .probabilities)
    let geometric = ensemblePrediction(logits, classes: 2, combining: .logits)
    let leaning = 1 / (1 + exp(1.0))
    #expect(abs(arithmetic.values[0] - (1 / (1 + exp(-10.0)) + 2 * leaning) / 3) < 1e-12)
    #expect(abs(geometric.values[0] - 1 / (1 + exp(-8 / 3.0))) < 1e-7)
  }

  @Test func `perfect, uniform and wrong predictions have known scores`() {
    let perfect = Scores(
      Probabilities(classes: 2, values: [1, 0, 0, 1]), labels: [0, 1])
    #expect((perfect.accuracy, perfect.nll) == (1, 0))
    #expect((perfect.brier, perfect.ece) == (0, 0))
    // Ties go to the lowest class, so half are right at a confidence of one half.
    let uniform = Scores(
      Probabilities(classes: 2, values: [0.5, 0.5, 0.5, 0.5]), labels: [0, 1])
    #expect((uniform.accuracy, uniform.brier, uniform.ece) == (0.5, 0.5, 0))
    #expect(abs(uniform.nll - log(2)) < 1e-12)
    // Sure and wrong: a large but finite likelihood.
    let wrong = Scores(Probabilities(classes: 2, values: [1, 0]), labels: [1])
    #expect((wrong.accuracy, wrong.brier, wrong.ece) == (0, 2, 1))
    #expect(wrong.nll.isFinite && wrong.nll > 700)
  }

  @Test func `bins of confidence are open below and closed above`() {
    // 0.6 = 9/15 closes a bin, 0.65 lies in the next: |1 − 0.6|/2 + |0 − 0.65|/2, not one bin's.
    let apart = Scores(
      Probabilities(classes: 2, values: [0.6, 0.4, 0.65, 0.35]), labels: [0, 1])
    #expect(abs(apart.ece - (0.4 + 0.65) / 2) < 1e-12)
    // 0.62 and 0.65 share a bin: their errors cancel before the distance is taken.
    let together = Scores(
      Probabilities(classes: 2, values: [0.62, 0.38, 0.65, 0.35]), labels: [0, 1])
    #expect(abs(together.ece - abs(1 - 1.27) / 2) < 1e-12)
  }

  @Test func `probabilities of huge logits do not overflow`() {
    let probabilities = Probabilities(logits: [1e4, -1e4, -1e4, 1e4, 1e30, 1e30], classes: 2)
    #expect(probabilities.values == [1, 0, 0, 1, 0.5, 0.5])
  }
}

/// The tensors of `metrics.safetensors`.
struct MetricsFixture {
  private let fixture: Fixture
  /// Each member's, samples × 10.
  let logits: [[Float]]
  let labels: [Int]

  init() throws {
    fixture = try Fixture("metrics")
    let all = try fixture.floats("logits")
    labels = try fixture.integers("labels")
    let size = 10 * labels.count
    logits = stride(from: 0, to: all.count, by: size).map { Array(all[$0..<$0 + size]) }
    #expect(logits.count == 3)
  }

  func doubles(_ name: String) throws -> [Double] {
    try fixture.doubles(name)
  }
}
