import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

/// Matching from the input on, of groups that are many or lie within each other.
@Suite struct PropagationTests {
  /// Heads within a dense layer: x → in (6) → qkv (4 heads of 5) → out, twice in a row.
  private func attention() throws -> Graph {
    let json = ExportedJSON.self
    var tensors = [json.tensor("in.weight", shape: [6, 5])]
    var nodes = [
      json.node(
        "h0", "linear", #""input":{"value":"x"},"weight":{"tensor":"in.weight"}"#, [[2, 7, 6]])
    ]
    for layer in 0..<2 {
      tensors.append(json.tensor("q\(layer).weight", shape: [20, 6]))
      tensors.append(json.tensor("o\(layer).weight", shape: [6, 20]))
      nodes += [
        json.node(
          "q\(layer)", "linear",
          #""input":{"value":"h\#(layer)"},"weight":{"tensor":"q\#(layer).weight"}"#,
          [[2, 7, 20]]),
        json.node("s\(layer)", "view", #""self":{"value":"q\#(layer)"}"#, [[2, 7, 4, 5]]),
        json.node(
          "t\(layer)", "transpose", #""self":{"value":"s\#(layer)"},"dim0":1,"dim1":2"#,
          [[2, 4, 7, 5]]),
        json.node(
          "a\(layer)", "scaled_dot_product_attention",
          #""query":{"value":"t\#(layer)"},"key":{"value":"t\#(layer)"},"value":{"value":"t\#(layer)"}"#,
          [[2, 4, 7, 5]]),
        json.node(
          "b\(layer)", "transpose", #""self":{"value":"a\#(layer)"},"dim0":1,"dim1":2"#,
          [[2, 7, 4, 5]]),
        json.node("f\(layer)", "reshape", #""self":{"value":"b\#(layer)"}"#, [[2, 7, 20]]),
        json.node(
          "o\(layer)", "linear",
          #""input":{"value":"f\#(layer)"},"weight":{"tensor":"o\#(layer).weight"}"#,
          [[2, 7, 6]]),
        json.node(
          "h\(layer + 1)", "add", #""self":{"value":"h\#(layer)"},"other":{"value":"o\#(layer)"}"#,
          [[2, 7, 6]]),
      ]
    }
    tensors.append(json.tensor("head.weight", shape: [3, 6]))
    nodes.append(
      json.node(
        "y", "linear", #""input":{"value":"h2"},"weight":{"tensor":"head.weight"}"#, [[2, 7, 3]]))
    return try Graph(
      ExportedGraph(
        json: json.graph(tensors: tensors, input: [2, 7, 5], nodes: nodes, outputs: ["y"])))
  }

  @Test(arguments: 0..<20)
  func `a permuted copy is lined up, heads and what is in them too`(seed: Int) throws {
    let graph = try attention()
    #expect(graph.symmetry.groups.map(\.count) == [6, 4, 5, 4, 5])
    let network = Network(graph, parameters: normals(graph.parameterCount, seed: seed))
    let permuted = network.permuted(
      by: graph.symmetry.groups.map {
        var random = RandomStream(seed: UInt64(seed), "copy", $0.index)
        return Permutation(random.permutation(of: $0.count))
      })
    let matcher = WeightMatcher(graph)
    let found = try matcher.propagated(permuted, to: network)
    #expect(permuted.permuted(by: found) == network)
    let state = try WeightMatching().merge([network, permuted])
    #expect(largestDifference(state.network.parameters, network.parameters) == 0)
    let many = try MergeMany(restarts: 1).merge([network, permuted, permuted])
    #expect(distanceFromMean(of: many.alignedMembers) < 1e-5)
  }

  @Test func `the elements of one tensor are those of the permuted network`() throws {
    let graph = try attention()
    let network = Network(graph, parameters: normals(graph.parameterCount, seed: 1))
    let permutations = graph.symmetry.groups.map {
      var random = RandomStream(seed: 2, "elements", $0.index)
      return Permutation(random.permutation(of: $0.count))
    }
    let whole = network.permuted(by: permutations)
    let matcher = WeightMatcher(graph)
    for tensor in graph.tensors {
      let own = network.elements(of: tensor, matcher.places(in: tensor)) { group, _ in
        permutations[group]
      }
      #expect(own == Array(whole.parameters[tensor.range]))
    }
  }
}
