import Networks
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
    let set: Dataset
    let networks: [Network]
    /// The networks with their first hidden layer's units in another order.
    let reordered: [Network]
    let orders: [[Int]]

    init(_ text: String) throws {
      var images = SyntheticImages()
      images.trainingCount = 1700
      set = try images.makePair().training
      let architecture = try #require(Architecture(text))
      networks = (0..<3).map {
        var network = Network(architecture, random: RandomStream(seed: 5, "network", $0))
        for i in network.parameters.indices { network.parameters[i] *= 2 }
        return network
      }
      let orders = (0..<3).map { member in
        var random = RandomStream(seed: 5, "order", member)
        return random.permutation(of: architecture.widths[1])
      }
      self.orders = orders
      reordered = zip(networks, orders).map { network, order in
        var result = network
        let (first, second) = (architecture.layers[0], architecture.layers[1])
        for (place, unit) in order.enumerated() {
          for i in 0..<first.inputs {
            result.parameters[first.weights.lowerBound + place * first.inputs + i] =
              network.parameters[first.weights.lowerBound + unit * first.inputs + i]
          }
          result.parameters[first.biases.lowerBound + place] =
            network.parameters[first.biases.lowerBound + unit]
          for o in 0..<second.outputs {
            result.parameters[second.weights.lowerBound + o * second.inputs + place] =
              network.parameters[second.weights.lowerBound + o * second.inputs + unit]
          }
        }
        return result
      }
    }

    /// A mean that is built as a network, and scored as any other.
    func scores(_ networks: [Network], _ weights: [Double], _ images: [Int]?) -> Scores {
      var mean = networks[0]
      for i in mean.parameters.indices {
        let sum = zip(networks, weights).reduce(0) { $0 + $1.1 * Double($1.0.parameters[i]) }
        mean.parameters[i] = Float(sum)
      }
      return Scores(
        Probabilities(
          logits: logits(of: mean, on: set, images: images, normalization: .symmetric),
          classes: 10), labels: set.labels(of: images))
    }
  }

  @Test(arguments: ["784-20-10", "784-14-12-9-10"])
  func `means come to what they come to when they are built`(text: String) throws {
    let problem = try Problem(text)
    let images = Array(stride(from: 1, to: 1700, by: 3))
    for images in [nil, images] {
      let found = lossAndAccuracy(
        of: [
          AlignedMeans(problem.networks, weights: Self.weights),
          AlignedMeans(
            problem.reordered, firstUnits: problem.orders, weights: Self.weights),
          AlignedMeans(problem.networks, weights: [[0, 1, 0]]),
        ], from: problem.networks, on: problem.set, images: images, normalization: .symmetric)
      #expect(found.map(\.count) == [6, 6, 1])
      let count = Double(images?.count ?? 1700)
      for (networks, found) in zip([problem.networks, problem.reordered], found) {
        for (weights, value) in zip(Self.weights, found) {
          let expected = problem.scores(networks, weights, images)
          #expect(abs(value.loss - expected.nll) < 1e-6, "\(weights)")
          // A tie to rounding may go either way.
          #expect(abs(value.accuracy - expected.accuracy) * count < 1.5, "\(weights)")
        }
      }
      // One alignment does not disturb the next.
      let alone = problem.scores(problem.networks, [0, 1, 0], images)
      #expect(abs(found[2][0].loss - alone.nll) < 1e-6)
      // Reordering changes means of several networks, or the test shows nothing.
      #expect(abs(found[0][4].loss - found[1][4].loss) > 1e-4)
    }
  }

  @Test func `a network alone has its own scores`() throws {
    let problem = try Problem("784-20-10")
    let found = lossAndAccuracy(
      of: [AlignedMeans(problem.networks, weights: [[0, 1, 0]])], from: problem.networks,
      on: problem.set, normalization: .symmetric)
    let expected = Scores(
      Probabilities(
        logits: logits(of: problem.networks[1], on: problem.set, normalization: .symmetric),
        classes: 10), labels: problem.set.labels())
    #expect(found[0][0].accuracy == expected.accuracy)
    #expect(abs(found[0][0].loss - expected.nll) < 1e-13)
  }

  @Test func `networks without hidden layers are averaged too`() throws {
    var images = SyntheticImages()
    images.trainingCount = 300
    let set = try images.makePair().training
    let architecture = try #require(Architecture("784-10"))
    let networks = (0..<2).map {
      Network(architecture, random: RandomStream(seed: 5, "network", $0))
    }
    let mean = Network(architecture, parameters: mean(of: networks.map(\.parameters)))
    let found = lossAndAccuracy(
      of: [AlignedMeans(networks, weights: [[0.5, 0.5]])], from: networks, on: set,
      normalization: .symmetric)
    let expected = Scores(
      Probabilities(
        logits: logits(of: mean, on: set, normalization: .symmetric), classes: 10),
      labels: set.labels())
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
        ], from: problem.networks, on: problem.set, normalization: .symmetric, threads: threads)
    }
    #expect(results[0] == results[1])
  }
}
