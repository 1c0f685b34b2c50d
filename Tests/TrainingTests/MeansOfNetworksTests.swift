import Networks
import Tensors
import TestSupport
import Testing
import Training

@testable import Datasets

/// Weighted means of networks by way of their first layers, against means that are built and run.
@Suite struct MeansOfNetworksTests {
  static let weights: [[Double]] = [
    [1, 0, 0], [0, 0, 1], [0.5, 0.5, 0], [0.25, 0, 0.75], [0.2, 0.5, 0.3], [1.5, -0.5, 0],
  ]

  struct Problem {
    let images: Images
    let networks: [Network]
    /// The networks with their first hidden layer's units in another order.
    let reordered: [Network]
    let orders: [[Int]]

    init(_ text: String) throws {
      let set = try SyntheticImages(trainingCount: 1700, testCount: 1).makePair().training
      images = Images(set, normalization: .symmetric)
      let graph = try #require(Graph(text))
      networks = (0..<3).map {
        var network = Network(graph, random: RandomStream(seed: 5, "network", $0))
        for i in network.parameters.indices { network.parameters[i] *= 2 }
        return network
      }
      let orders = (0..<3).map { member in
        var random = RandomStream(seed: 5, "order", member)
        return random.permutation(of: graph.symmetry.groups[0].count)
      }
      self.orders = orders
      reordered = zip(networks, orders).map { network, order in
        var result = network
        for place in graph.symmetry.groups[0].places {
          // Unit by unit along one axis of a vector or a matrix.
          let (start, columns) = (place.tensor.range.lowerBound, place.tensor.columns)
          for row in 0..<place.tensor.shape[0] {
            for column in 0..<columns {
              let from =
                place.axis == 0
                ? order[row] * columns + column : row * columns + order[column]
              result.parameters[start + row * columns + column] = network.parameters[start + from]
            }
          }
        }
        return result
      }
    }

    /// A mean that is built as a network, and scored as any other.
    func scores(_ networks: [Network], _ weights: [Double], on images: Images) -> Scores {
      var mean = networks[0]
      for i in mean.parameters.indices {
        let sum = zip(networks, weights).reduce(0) { $0 + $1.1 * Double($1.0.parameters[i]) }
        mean.parameters[i] = Float(sum)
      }
      return Scores(
        Probabilities(logits: logits(of: mean, on: images), classes: 10), labels: images.labels)
    }
  }

  @Test(arguments: ["784-20-10", "784-14-12-9-10", "residual:784-12x2-10"])
  func `means come to what they come to when they are built`(text: String) throws {
    let problem = try Problem(text)
    let some = Images(
      problem.images.dataset, indices: Array(stride(from: 1, to: 1700, by: 3)),
      normalization: .symmetric)
    for images in [problem.images, some] {
      let found = lossAndAccuracy(
        of: [
          AlignedMeans(problem.networks, weights: Self.weights),
          AlignedMeans(
            problem.reordered, firstUnits: problem.orders, weights: Self.weights),
          AlignedMeans(problem.networks, weights: [[0, 1, 0]]),
        ], from: problem.networks, on: images)
      #expect(found.map(\.count) == [6, 6, 1])
      let count = Double(images.count)
      for (networks, found) in zip([problem.networks, problem.reordered], found) {
        for (weights, value) in zip(Self.weights, found) {
          let expected = problem.scores(networks, weights, on: images)
          #expect(abs(value.loss - expected.nll) < 1e-6, "\(weights)")
          // A tie to rounding may go either way.
          #expect(abs(value.accuracy - expected.accuracy) * count < 1.5, "\(weights)")
        }
      }
      // One alignment does not disturb the next.
      let alone = problem.scores(problem.networks, [0, 1, 0], on: images)
      #expect(abs(found[2][0].loss - alone.nll) < 1e-6)
      // Reordering changes means of several networks, or the test shows nothing.
      #expect(abs(found[0][4].loss - found[1][4].loss) > 1e-4)
    }
  }

  @Test func `a network alone has its own scores`() throws {
    let problem = try Problem("784-20-10")
    let found = lossAndAccuracy(
      of: [AlignedMeans(problem.networks, weights: [[0, 1, 0]])], from: problem.networks,
      on: problem.images)
    let expected = Scores(
      Probabilities(logits: logits(of: problem.networks[1], on: problem.images), classes: 10),
      labels: problem.images.labels)
    #expect(found[0][0].accuracy == expected.accuracy)
    #expect(abs(found[0][0].loss - expected.nll) < 1e-13)
  }

  @Test func `networks without hidden layers are averaged too`() throws {
    let set = try SyntheticImages(trainingCount: 300, testCount: 1).makePair().training
    let images = Images(set, normalization: .symmetric)
    let graph = try #require(Graph("784-10"))
    let networks = (0..<2).map {
      Network(graph, random: RandomStream(seed: 5, "network", $0))
    }
    let mean = Network(graph, parameters: mean(of: networks.map(\.parameters)))
    let found = lossAndAccuracy(
      of: [AlignedMeans(networks, weights: [[0.5, 0.5]])], from: networks, on: images)
    let expected = Scores(
      Probabilities(logits: logits(of: mean, on: images), classes: 10), labels: images.labels)
    #expect(abs(found[0][0].loss - expected.nll) < 1e-6)
    #expect(found[0][0].loss != 0)
  }

  @Test(arguments: [2, 3])
  func `the bits are the same for any number of threads`(threads: Int) throws {
    let problem = try Problem("784-20-10")
    let results = [1, threads].map { threads in
      lossAndAccuracy(
        of: [
          AlignedMeans(problem.reordered, firstUnits: problem.orders, weights: Self.weights)
        ], from: problem.networks, on: problem.images, threads: threads)
    }
    #expect(results[0] == results[1])
  }

  @Test(arguments: [1, 3])
  func `means of convolutional networks have the statistics of images, and members their own`(
    threads: Int
  ) throws {
    let set = try SyntheticImages(trainingCount: 300, testCount: 1).makePair().training
    let images = Images(set, normalization: .symmetric)
    let graph = try #require(Graph("resnet8"))
    let networks = (0..<2).map { Network(graph, random: RandomStream(seed: 5, "network", $0)) }
    let sample = images.prefix(200)
    let values = lossAndAccuracy(
      ofMeans: [[0, 1], [0.25, 0.75]], of: networks, on: images, statisticsOf: sample,
      threads: threads)

    let member = Scores(
      Probabilities(logits: logits(of: networks[1], on: images), classes: 10), labels: images.labels
    )
    #expect(abs(values[0].loss - member.nll) < 1e-6)
    #expect(values[0].accuracy == member.accuracy)

    var mean = networks[0]
    for i in mean.parameters.indices {
      mean.parameters[i] = 0.25 * mean.parameters[i] + 0.75 * networks[1].parameters[i]
    }
    var inputs = [Float](repeating: 0, count: 200 * images.features)
    sample.write(0..<200, into: &inputs)
    // Run over and over, running statistics come to the batch's.
    var slow = mean
    var workspace = Workspace(graph, capacity: 200)
    for _ in 0..<200 { slow.forwardTraining(inputs, rows: 200, workspace: &workspace) }
    let fast = mean.withStatistics(of: inputs, rows: 200, threads: threads)
    for buffer in graph.buffers where buffer.role != .count {
      #expect(largestDifference(fast.buffers[buffer.range], slow.buffers[buffer.range]) < 1e-4)
    }
    let own = Scores(
      Probabilities(logits: logits(of: fast, on: images), classes: 10), labels: images.labels)
    #expect(abs(values[1].loss - own.nll) < 1e-4)
  }
}

private func largestDifference(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Float {
  zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
}
