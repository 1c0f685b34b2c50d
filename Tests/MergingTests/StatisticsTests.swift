import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

/// Sums over samples that methods look at data through.
@Suite struct StatisticsTests {
  /// Three networks with two hidden layers, and samples that do not fill the last of three chunks.
  private struct Problem {
    let networks: [Network]
    let inputs = normals(2300 * 6, seed: 1)
    var sums: SampleSums { SampleSums(SamplesInMemory(inputs, features: 6)) }

    /// The node that a layer is.
    func node(_ layer: Int) -> Int { networks[0].graph.layers[layer].node }

    init() throws {
      let graph = try #require(Graph("6-9-7-4"))
      networks = (0..<3).map { randomNetwork(graph, seed: $0) }
    }
  }

  @Test(arguments: 0..<3)
  func `moments are those of every unit before the ReLU`(layer: Int) throws {
    let problem = try Problem()
    let statistic = SampleStatistic(
      .moments, at: problem.node(layer), of: problem.networks)
    let sums = try problem.sums.sum(statistic)
    let expected = problem.networks.flatMap { network in
      let z = DoubleLayers(network: network).preActivations(problem.inputs, layer: layer)
      return total(z) + total(z.map { $0.map { $0 * $0 } })
    }
    #expect(sums.count == statistic.count)
    #expect(sums.count == 3 * 2 * problem.networks[0].graph.layers[layer].outputs)
    #expect(largestDifference(sums, expected) < 1e-6 * 2300 * 10)

    let moments = try problem.sums.moments(of: problem.networks, at: problem.node(layer))
    for (network, own) in zip(problem.networks, moments) {
      let z = DoubleLayers(network: network).preActivations(problem.inputs, layer: layer)
      let (means, deviations) = columnMoments(z)
      #expect(largestDifference(own.means, means) < 1e-5)
      #expect(largestDifference(own.deviations, deviations) < 1e-5)
    }
  }

  @Test(arguments: 0..<2)
  func `products are those of the first network's units with each other network's`(layer: Int)
    throws
  {
    let problem = try Problem()
    let statistic = SampleStatistic(
      .products, at: try #require(problem.networks[0].graph.node("relu.\(layer)")),
      of: problem.networks)
    let sums = try problem.sums.sum(statistic)
    let h = problem.networks.map {
      DoubleLayers(network: $0).activations(problem.inputs, layer: layer)
    }
    let moments = h.flatMap { total($0) + total($0.map { $0.map { $0 * $0 } }) }
    let expected = moments + product(h[0], h[1]) + product(h[0], h[2])
    #expect(sums.count == statistic.count)
    #expect(largestDifference(sums, expected) < 1e-6 * 2300 * 10)
  }

  @Test(arguments: 0..<3)
  func `normal equations have the first network's activations and the others' mean`(layer: Int)
    throws
  {
    let problem = try Problem()
    let statistic = SampleStatistic(
      .normalEquations, at: problem.node(layer), of: problem.networks)
    let sums = try problem.sums.sum(statistic)
    let features = DoubleLayers(network: problem.networks[0])
      .activations(problem.inputs, layer: layer - 1).map { $0 + [1] }
    let z = problem.networks.dropFirst().map {
      DoubleLayers(network: $0).preActivations(problem.inputs, layer: layer)
    }
    let targets = zip(z[0], z[1]).map { zip($0, $1).map { ($0 + $1) / 2 } }
    let expected = product(features, features) + product(features, targets)
    #expect(sums.count == statistic.count)
    #expect(largestDifference(sums, expected) < 1e-6 * 2300 * 10)
    #expect(sums[features[0].count * features[0].count - 1] == 2300)
  }

  @Test func `a chunk is added to what is there`() throws {
    let problem = try Problem()
    let statistic = SampleStatistic(
      .products, at: try #require(problem.networks[0].graph.node("relu.1")), of: problem.networks)
    var once = [Double](repeating: 0, count: statistic.count)
    statistic.accumulate(inputs: problem.inputs, rows: 10, into: &once)
    var twice = once
    statistic.accumulate(inputs: problem.inputs, rows: 10, into: &twice)
    #expect(twice == once.map { 2 * $0 })
    #expect(once.contains { $0 != 0 })
  }

  @Test(arguments: [SampleStatistic.Kind.moments, .products, .normalEquations])
  func `layers above the one in question do not matter`(kind: SampleStatistic.Kind) throws {
    let problem = try Problem()
    let node = try #require(
      problem.networks[0].graph.node(kind == .products ? "relu.1" : "layers.1"))
    let own = try problem.sums.sum(SampleStatistic(kind, at: node, of: problem.networks))
    let last = problem.networks[0].graph.layers[2]
    let broken = problem.networks.map { network in
      var network = network
      for place in last.offset..<network.parameters.count { network.parameters[place] = .nan }
      return network
    }
    #expect(try problem.sums.sum(SampleStatistic(kind, at: node, of: broken)) == own)
    #expect(own.allSatisfy(\.isFinite) && own.contains { $0 != 0 })
  }

  @Test(arguments: [1, 999, 1000, 1001, 9500, 16_000, 16_001, 60_000, 123_457])
  func `shards hold every sample once and in order`(count: Int) {
    let shards = SampleShards(sampleCount: count)
    let chunks = (0..<shards.count).map(shards.chunks)
    #expect(chunks.joined().flatMap { Array($0) } == Array(0..<count))
    #expect(chunks.joined().allSatisfy { $0.count <= 1000 && !$0.isEmpty })
    #expect(chunks.allSatisfy { !$0.isEmpty } && shards.count <= 16)
  }

  @Test func `sums are equal to the bit for any number of threads`() throws {
    let problem = try Problem()
    let inputs = normals(5200 * 6, seed: 3)
    let statistic = SampleStatistic(
      .normalEquations, at: problem.node(2), of: problem.networks)
    let sums = try [1, 2, 5].map {
      try SampleSums(SamplesInMemory(inputs, features: 6), team: ThreadTeam(threads: $0))
        .sum(statistic)
    }
    #expect(sums[0] == sums[1] && sums[0] == sums[2])
  }

  /// Sums of columns.
  private func total(_ rows: [[Double]]) -> [Double] {
    rows[0].indices.map { column in rows.reduce(0) { $0 + $1[column] } }
  }

  /// AᵀB, row by row.
  private func product(_ a: [[Double]], _ b: [[Double]]) -> [Double] {
    a[0].indices.flatMap { i in
      b[0].indices.map { j in a.indices.reduce(0) { $0 + a[$1][i] * b[$1][j] } }
    }
  }
}
