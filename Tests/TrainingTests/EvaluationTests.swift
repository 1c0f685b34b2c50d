import Networks
import Tensors
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
    let images = problem.training
    #expect(images.count > 2 * evaluationChunk)
    let one = logits(of: problem.network, on: images, isFlipped: isFlipped)
    #expect(one.count == 10 * images.count)
    #expect(
      logits(of: problem.network, on: images, isFlipped: isFlipped, threads: threads) == one)
  }

  @Test func `an image's logits are its own, wherever it stands`() throws {
    let problem = try SmallProblem()
    let set = problem.training
    let all = logits(of: problem.network, on: set)
    let mirrored = logits(of: problem.network, on: set, isFlipped: true)
    let images = [2099, 0, 1000, 999, 7]
    let some = logits(of: problem.network, on: problem.training(images))
    for (row, image) in images.enumerated() {
      var inputs = [Float](repeating: 0, count: 784)
      for (isFlipped, expected) in [(false, all), (true, mirrored)] {
        set.write(image..<image + 1, isFlipped: { _ in isFlipped }, into: &inputs)
        var workspace = Workspace(problem.network.graph, capacity: 1)
        problem.network.forward(inputs, rows: 1, workspace: &workspace)
        for c in 0..<10 {
          // Another number of rows rounds the products otherwise.
          #expect(abs(workspace.logits[c] - expected[10 * image + c]) < 1e-5)
        }
      }
      for c in 0..<10 { #expect(abs(some[10 * row + c] - all[10 * image + c]) < 1e-5) }
    }
    #expect(all != mirrored)
    #expect(logits(of: problem.network, on: problem.training([])).isEmpty)
  }

  @Test(arguments: [1, 2, 3])
  func `accuracy is the share that is right`(threads: Int) throws {
    let problem = try SmallProblem()
    let z = logits(of: problem.network, on: problem.training)
    let scores = Scores(Probabilities(logits: z, classes: 10), labels: problem.training.labels)
    #expect(
      accuracy(of: problem.network, on: problem.training, threads: threads) == scores.accuracy)
    #expect(accuracy(of: problem.network, on: problem.training([])) == 0)
    // A network that gives every image the class of its first one is right where the labels agree.
    var constant = problem.network
    for i in constant.parameters.indices { constant.parameters[i] = 0 }
    let zeros = problem.training.labels.count { $0 == 0 }
    #expect(
      accuracy(of: constant, on: problem.training) == Double(zeros) / Double(problem.training.count)
    )
  }

  @Test func `a residual network's logits are those of its own workspace`() throws {
    let problem = try SmallProblem()
    let graph = try #require(Graph("residual:784-20x3-10"))
    let network = Network(graph, random: RandomStream(seed: 1, "network"))
    let images = problem.training(Array(0..<1000))
    var inputs = [Float](repeating: 0, count: 1000 * 784)
    images.write(0..<1000, into: &inputs)
    var workspace = Workspace(graph, capacity: 1000)
    network.forward(inputs, rows: 1000, workspace: &workspace)
    #expect(logits(of: network, on: images, threads: 2) == workspace.logits)
  }

  @Test func `chunks tile the images`() throws {
    let images = try SmallProblem().training
    #expect(images.chunks == [0..<1000, 1000..<2000, 2000..<2100])
    #expect(images.prefix(1000).chunks == [0..<1000])
    #expect(images.prefix(0).chunks.isEmpty)
  }
}
