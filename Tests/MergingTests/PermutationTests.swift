import Merging
import Networks
import Tensors
import TestSupport
import Testing

/// Permutations, and networks whose hidden units are permuted.
@Suite struct PermutationTests {
  @Test(arguments: 0..<9)
  func `a permuted network computes the same function`(seed: Int) throws {
    let (network, permutations) = randomProblem(seed: seed)
    let permuted = network.permuted(by: permutations)
    #expect(permuted != network)
    let inputs = normals(20 * network.graph.inputs, seed: seed)
    let (own, other) = (logits(network, inputs, rows: 20), logits(permuted, inputs, rows: 20))
    // Sums of the same terms in another order.
    #expect(largestDifference(own, other) < 1e-5)
  }

  @Test(arguments: 0..<9)
  func `the inverse permutations bring a network back`(seed: Int) {
    let (network, permutations) = randomProblem(seed: seed)
    let back = network.permuted(by: permutations).permuted(by: permutations.map(\.inverse))
    #expect(back == network)
  }

  @Test(arguments: 0..<9)
  func `permuting is a product with the permutations' matrices`(seed: Int) {
    let (network, permutations) = randomProblem(seed: seed)
    let permuted = network.permuted(by: permutations)
    for (index, layer) in network.graph.layers.enumerated() {
      let left =
        index < permutations.count ? permutations[index].matrix : .identity(layer.outputs)
      let right = index > 0 ? permutations[index - 1].matrix : .identity(layer.inputs)
      let weights = network.weights(layer)
      var expected = Matrix(rows: layer.outputs, columns: layer.inputs)
      for i in 0..<layer.outputs {
        for j in 0..<layer.inputs {
          for a in 0..<layer.outputs where left[i, a] == 1 {
            for b in 0..<layer.inputs where right[j, b] == 1 { expected[i, j] += weights[a, b] }
          }
        }
      }
      #expect(permuted.weights(layer) == expected)
    }
  }

  @Test func `an inverse undoes, and is undone by, its permutation`() {
    let p = Permutation([2, 0, 3, 1])
    #expect(p.inverse == Permutation([1, 3, 0, 2]))
    #expect(p.inverse.inverse == p)
    #expect(p.indices.map { p.inverse.indices[$0] } == [0, 1, 2, 3])
    #expect(Permutation.identity(3) == Permutation([0, 1, 2]))
    #expect(Permutation([]).count == 0)
    #expect((p.fixedPoints, Permutation([0, 2, 1, 3]).fixedPoints) == (0, 2))
    #expect(p.matrix.elements == [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0])
  }

  @Test func `a number twice is no permutation`() async {
    await #expect(processExitsWith: .failure) { _ = Permutation([0, 1, 1]) }
  }

  @Test func `a number beyond the count is no permutation`() async {
    await #expect(processExitsWith: .failure) { _ = Permutation([0, 1, 3]) }
  }

  @Test func `a negative number is no permutation`() async {
    await #expect(processExitsWith: .failure) { _ = Permutation([0, -1]) }
  }

  @Test func `permutations of other widths are a precondition failure`() async {
    await #expect(processExitsWith: .failure) {
      guard let graph = Graph("2-3-1") else { return }
      let network = Network(graph, random: RandomStream(seed: 1, "network"))
      _ = network.permuted(by: [.identity(2)])
    }
  }

  /// A network of one to three hidden layers, and a permutation of each that is no involution.
  private func randomProblem(seed: Int) -> (Network, [Permutation]) {
    var random = RandomStream(seed: UInt64(seed), "problem")
    let widths = (0..<3 + seed % 3).map { _ in 5 + random.integer(below: 20) }
    guard let graph = Graph(widths.map(String.init).joined(separator: "-")) else {
      preconditionFailure("\(widths)")
    }
    let network = Network(graph, random: RandomStream(seed: UInt64(seed), "network"))
    return (
      network,
      graph.symmetry.groups.map(\.count).map { width in
        while true {
          let p = Permutation(random.permutation(of: width))
          if p.indices.map({ p.indices[$0] }) != Array(0..<width) { return p }
        }
      }
    )
  }
}

/// The logits of a network for inputs of some rows.
func logits(_ network: Network, _ inputs: [Float], rows: Int) -> [Float] {
  var workspace = Workspace(network.graph, capacity: rows)
  network.forward(inputs, rows: rows, workspace: &workspace)
  return workspace.logits
}
