import Networks
import TestSupport
import Testing

@testable import Merging

/// Permuted networks compute what they did, whoever chose the permutations.
@Suite struct InvarianceTests {
  static let graphs =
    TestGraphs.all + [
      "7-4", "1-1", "6-1-3", "9-12-5", "5-1-1-2", "8-30-20-4", "3-7-2", "6-9-1-8-1-4",
      "12-10-11-9-8-13-5", "784-64-32-10",
    ]

  static let images = [
    "lenet5", "cnn:2x8x12-4", "vgg11bn:1x16x16-4", "resnet8", "resnet20:3x8x8-4",
  ]

  @Test(arguments: images)
  func `a convolutional network and its permuted copy merge to itself`(text: String) throws {
    let graph = try Graph(parsing: text)
    let network = randomNetwork(graph, seed: 4)
    let check = InvarianceCheck(graph, draws: 2, seed: 3)
    #expect(check.differenceWhenPermuted(network, by: check.draws).isNegligible)
    for chain in ["weight-matching", "mergemany", "c2m3"] {
      let merged = try run(chain, [network, network.permuted(by: check.draws[0])]).network
      let difference = check.difference(of: merged, from: network)
      #expect(difference.isNegligible, "\(chain): \(difference)")
    }
  }

  @Test(arguments: graphs)
  func `random permutations leave the logits as they are`(text: String) throws {
    let graph = try #require(Graph(text))
    for seed in 0..<3 {
      let network = randomNetwork(graph, seed: seed)
      let check = InvarianceCheck(graph, draws: 4, seed: UInt64(seed))
      #expect(check.draws.count == 4)
      #expect(
        check.draws.allSatisfy { $0.map(\.count) == Array(graph.symmetry.groups.map(\.count)) })
      let difference = check.differenceWhenPermuted(network, by: check.draws)
      #expect(difference.isNegligible, "\(difference)")
      #expect(difference.largestLogit > 0)
    }
  }

  @Test func `draws are permutations that move units, each draw others, the same for a seed`()
    throws
  {
    let graph = try #require(Graph("4-50-40-3"))
    let check = InvarianceCheck(graph, draws: 3, seed: 5)
    #expect(check.draws.joined().allSatisfy { $0.fixedPoints < 10 })
    #expect(Set(check.draws.map { $0[0] }).count == 3)
    #expect(check.draws == InvarianceCheck(graph, draws: 3, seed: 5).draws)
    #expect(check.draws != InvarianceCheck(graph, draws: 3, seed: 6).draws)
  }

  /// What a spec that forgets one axis would do.
  @Test(arguments: [0, 1, 2])
  func `a tensor that is left as it was is found out`(forgotten: Int) throws {
    let graph = try #require(Graph("6-20-4"))
    let network = randomNetwork(graph, seed: 1)
    let check = InvarianceCheck(graph)
    var permuted = network.permuted(by: check.draws[0])
    #expect(check.difference(of: network, from: permuted).isNegligible)
    let range = graph.tensors[forgotten].range
    permuted.parameters.replaceSubrange(range, with: network.parameters[range])
    let difference = check.difference(of: network, from: permuted)
    #expect(!difference.isNegligible && difference.relative > 0.01)
  }

  @Test func `logits that are not numbers are no agreement`() throws {
    let graph = try #require(Graph("2-3-2"))
    let check = InvarianceCheck(graph)
    let network = Network(
      graph, parameters: Array(repeating: 3e38, count: graph.parameterCount))
    let difference = check.differenceWhenPermuted(network, by: check.draws)
    #expect(!difference.isNegligible && difference.relative == .infinity)
  }

  @Test func `a network of zeros does not move`() throws {
    let graph = try #require(Graph("2-3-2"))
    let check = InvarianceCheck(graph)
    let zero = Network(
      graph, parameters: Array(repeating: 0, count: graph.parameterCount))
    #expect(check.differenceWhenPermuted(zero, by: check.draws).isNegligible)
  }

  @Test(arguments: 1...2)
  func `the worst of several permutations is told`(place: Int) throws {
    // A network whose logits depend on the order of summation: 1e8 − 1e8 + 1 is 0 or 1.
    let graph = try #require(Graph("1-3-1"))
    let network = Network(
      graph, parameters: [0, 0, 0, 1, 1, 1, 1e8, -1e8, 1, 0])
    let check = InvarianceCheck(graph)
    var draws = Array(repeating: [Permutation.identity(3)], count: 3)
    #expect(check.differenceWhenPermuted(network, by: draws).absolute == 0)
    draws[place] = [Permutation([0, 2, 1])]
    let difference = check.differenceWhenPermuted(network, by: draws)
    #expect(!difference.isNegligible && difference.absolute == 1)
  }
}
