import Networks
import Tensors
import Testing

/// Fresh networks.
@Suite struct InitializationTests {
  @Test func `parameters are uniform within one over the root of the inputs`() throws {
    let graph = try #require(Graph("400-300-100-10"))
    let network = Network(graph, random: RandomStream(seed: 1, "network"))
    for node in graph.nodes.indices where graph.nodes[node].layer is Dense {
      let tensors = graph.tensors(of: node)
      let bound = 1 / Double(tensors[0].columns).squareRoot()
      for tensor in tensors {
        let values = network.parameters[tensor.range].map { Double($0) / bound }
        let count = Double(values.count)
        #expect(values.allSatisfy { abs($0) <= 1 })
        // Five standard errors of the mean, whose variance is 1/3, and of the square, 4/45.
        let mean = values.reduce(0, +) / count
        let square = values.reduce(0) { $0 + $1 * $1 } / count
        #expect(abs(mean) < 5 * (1 / 3 / count).squareRoot())
        #expect(abs(square - 1 / 3.0) < 5 * (4 / 45 / count).squareRoot())
      }
      #expect((network.parameters[tensors[0].range].max() ?? 0) > Float(0.99 * bound))
      #expect((network.parameters[tensors[0].range].min() ?? 0) < Float(-0.99 * bound))
    }
  }

  @Test func `norms start as the identity, and draw nothing`() throws {
    let graph = try #require(Graph("residual:20-10x2-3"))
    let network = Network(graph, random: RandomStream(seed: 1, "network"))
    var random = RandomStream(seed: 1, "network")
    for tensor in graph.tensors {
      let values = Array(network.parameters[tensor.range])
      if graph.nodes[tensor.node].layer is LayerNorm {
        let value: Float = tensor.role == .weight ? 1 : 0
        #expect(values == Array(repeating: value, count: 10))
        #expect(!tensor.decays)
      } else {
        // The dense tensors take the stream's numbers in the order of the block.
        let bound = 1 / Float(tensor.name.hasPrefix("stem") ? 20 : 10).squareRoot()
        #expect(values == values.map { _ in (2 * random.uniform() - 1) * bound })
        #expect(tensor.decays)
      }
    }
  }

  /// From the first edition, whose members' bits are the record of every study so far.
  @Test func `a perceptron's first weights are what they were`() throws {
    let graph = try #require(Graph("20-10-3"))
    let network = Network(graph, random: RandomStream(seed: 1, "member", 0))
    var random = RandomStream(seed: 1, "member", 0)
    let expected = [(20, 10), (10, 3)].flatMap { inputs, outputs in
      let bound = 1 / Float(inputs).squareRoot()
      return (0..<(inputs + 1) * outputs).map { _ in (2 * random.uniform() - 1) * bound }
    }
    #expect(network.parameters == expected)
  }

  @Test func `a member's first weights depend on its key alone`() throws {
    let graph = try #require(Graph("20-10-3"))
    let first = Network(graph, random: RandomStream(seed: 1, "member", 0))
    #expect(Network(graph, random: RandomStream(seed: 1, "member", 0)) == first)
    #expect(Network(graph, random: RandomStream(seed: 1, "member", 1)) != first)
    #expect(Network(graph, random: RandomStream(seed: 2, "member", 0)) != first)
  }

  @Test func `weights and biases of a layer are its part of the block`() throws {
    let graph = try #require(Graph("3-2-1"))
    let network = Network(graph, parameters: (0..<11).map(Float.init))
    #expect(
      graph.tensors.map(network.matrix) == [
        Matrix(rows: 2, columns: 3, elements: [0, 1, 2, 3, 4, 5]),
        Matrix(rows: 2, columns: 1, elements: [6, 7]),
        Matrix(rows: 1, columns: 2, elements: [8, 9]), Matrix(rows: 1, columns: 1, elements: [10]),
      ])
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func `a network with one parameter that is no number is not finite`(value: Float) throws {
    let graph = try #require(Graph("3-2-1"))
    var network = Network(graph, parameters: Array(repeating: 0, count: 11))
    #expect(network.isFinite)
    network.parameters[10] = value
    #expect(!network.isFinite)
  }
}
