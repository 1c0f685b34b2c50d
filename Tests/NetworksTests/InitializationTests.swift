import Testing

@testable import Networks

/// Fresh networks.
@Suite struct InitializationTests {
  @Test func `parameters are uniform within one over the root of the inputs`() throws {
    let architecture = try #require(Architecture("400-300-100-10"))
    let network = Network(architecture, random: RandomStream(seed: 1, "network"))
    for layer in architecture.layers {
      let bound = 1 / Double(layer.inputs).squareRoot()
      for range in [layer.weights, layer.biases] {
        let values = network.parameters[range].map { Double($0) / bound }
        let count = Double(values.count)
        #expect(values.allSatisfy { abs($0) <= 1 })
        // Five standard errors of the mean, whose variance is 1/3, and of the square, 4/45.
        let mean = values.reduce(0, +) / count
        let square = values.reduce(0) { $0 + $1 * $1 } / count
        #expect(abs(mean) < 5 * (1 / 3 / count).squareRoot())
        #expect(abs(square - 1 / 3.0) < 5 * (4 / 45 / count).squareRoot())
      }
      #expect((network.parameters[layer.weights].max() ?? 0) > Float(0.99 * bound))
      #expect((network.parameters[layer.weights].min() ?? 0) < Float(-0.99 * bound))
    }
  }

  @Test func `a member's first weights depend on its key alone`() throws {
    let architecture = try #require(Architecture("20-10-3"))
    let first = Network(architecture, random: RandomStream(seed: 1, "member", 0))
    #expect(Network(architecture, random: RandomStream(seed: 1, "member", 0)) == first)
    #expect(Network(architecture, random: RandomStream(seed: 1, "member", 1)) != first)
    #expect(Network(architecture, random: RandomStream(seed: 2, "member", 0)) != first)
  }

  @Test func `weights and biases of a layer are its part of the block`() throws {
    let architecture = try #require(Architecture("3-2-1"))
    let network = Network(architecture, parameters: (0..<11).map(Float.init))
    let layers = architecture.layers
    #expect(
      network.weights(layers[0]) == Matrix(rows: 2, columns: 3, elements: [0, 1, 2, 3, 4, 5]))
    #expect(network.biases(layers[0]) == [6, 7])
    #expect(network.weights(layers[1]) == Matrix(rows: 1, columns: 2, elements: [8, 9]))
    #expect(network.biases(layers[1]) == [10])
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func `a network with one parameter that is no number is not finite`(value: Float) throws {
    let architecture = try #require(Architecture("3-2-1"))
    var network = Network(architecture, parameters: Array(repeating: 0, count: 11))
    #expect(network.isFinite)
    network.parameters[10] = value
    #expect(!network.isFinite)
  }
}
