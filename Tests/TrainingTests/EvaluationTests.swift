import Networks
import Testing
import Training

@testable import Datasets

/// Logits of whole sets.
@Suite struct EvaluationTests {
  @Test(arguments: [1, 2, 3], [false, true])
  func `logits have the same bits for any number of threads`(
    threads: Int, isFlipped: Bool
  ) throws {
    let problem = try SmallProblem()
    let set = problem.pair.training
    #expect(set.count > 2 * evaluationChunk)
    let one = logits(
      of: problem.network, on: set, normalization: .symmetric, isFlipped: isFlipped)
    #expect(one.count == 10 * set.count)
    #expect(
      logits(
        of: problem.network, on: set, normalization: .symmetric, isFlipped: isFlipped,
        threads: threads) == one)
  }

  @Test func `an image's logits are its own, wherever it stands`() throws {
    let problem = try SmallProblem()
    let set = problem.pair.training
    let all = logits(of: problem.network, on: set, normalization: .symmetric)
    let mirrored = logits(
      of: problem.network, on: set, normalization: .symmetric, isFlipped: true)
    let images = [2099, 0, 1000, 999, 7]
    let some = logits(of: problem.network, on: set, images: images, normalization: .symmetric)
    for (row, image) in images.enumerated() {
      var inputs = [Float](repeating: 0, count: 784)
      for (isFlipped, expected) in [(false, all), (true, mirrored)] {
        set.normalize(image, by: .symmetric, isFlipped: isFlipped, into: &inputs, row: 0)
        var workspace = Workspace(problem.network.architecture, capacity: 1)
        problem.network.forward(inputs, rows: 1, workspace: &workspace)
        for c in 0..<10 {
          // Another number of rows rounds the products otherwise.
          #expect(abs(workspace.logits[c] - expected[10 * image + c]) < 1e-5)
        }
      }
      for c in 0..<10 { #expect(abs(some[10 * row + c] - all[10 * image + c]) < 1e-5) }
    }
    #expect(all != mirrored)
    #expect(logits(of: problem.network, on: set, images: [], normalization: .symmetric).isEmpty)
  }

  @Test func `labels are those of the images asked for`() throws {
    let set = try SmallProblem().pair.test
    #expect(set.labels() == set.labels.map(Int.init))
    #expect(set.labels(of: [3, 0]) == [Int(set.labels[3]), Int(set.labels[0])])
  }
}
