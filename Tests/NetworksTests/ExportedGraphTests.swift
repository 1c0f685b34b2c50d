import Foundation
import TestSupport
import Testing

@testable import Networks

/// Graphs that PyTorch's exporter writes: what is read, and which units are found.
@Suite struct ExportedGraphTests {
  private typealias JSON = ExportedJSON

  private func graph(_ json: String) throws -> Graph { try Graph(ExportedGraph(json: json)) }

  /// The counts and places of groups, in words.
  private func places(_ graph: Graph) -> [String] {
    graph.symmetry.groups.map { group in
      "\(group.count):"
        + group.places.map {
          " \($0.tensor.name).\($0.axis)"
            + ($0.isWholeAxis ? "" : "[\($0.offset) \($0.outer) \($0.block)]")
        }.joined()
    }
  }

  @Test func `an exported perceptron has the groups of ours`() throws {
    let ours = try #require(Graph("7-5-4-3"))
    let theirs = try graph(
      JSON.perceptron([7, 5, 4, 3], ["layers.0", "layers.1", "layers.2"]))
    #expect(places(theirs) == places(ours))
    #expect(theirs.tensorNames == ours.tensorNames)
    #expect(!theirs.canRun && ours.canRun)
    let found = try #require(theirs.exportedSymmetry)
    #expect(found.unknown.isEmpty)
    #expect(
      (found.permutableParameters, found.parameterCount) == (
        ours.parameterCount - 3, ours.parameterCount
      ))
    #expect(found.fixed.map(\.reason) == ["is the network's output"])
  }

  @Test func `another rank makes the same graph of its source`() throws {
    let theirs = try graph(JSON.perceptron([7, 5, 3], ["a", "b"]))
    let again = try Graph(source: theirs.source)
    #expect(again == theirs)
    #expect(again.symmetry == theirs.symmetry)
    #expect(try Graph(source: "7-5-3") == Graph("7-5-3"))
    #expect(try graph(JSON.perceptron([7, 6, 3], ["a", "b"])) != theirs)
    // Texts that files and users name graphs by cannot make one that does not run.
    #expect(throws: GraphError.self) { try Graph(parsing: theirs.source) }
  }

  @Test func `convolutions, norms, flattening and concatenation are related by their rules`() throws
  {
    let json = JSON.graph(
      tensors: [
        JSON.tensor("conv.weight", shape: [4, 3, 3, 3]), JSON.tensor("norm.weight", shape: [4]),
        JSON.tensor("norm.mean", shape: [4], kind: "buffer"),
        JSON.tensor("more.weight", shape: [2, 4, 1, 1]),
        JSON.tensor("head.weight", shape: [5, 24]),
      ], input: [2, 3, 4, 4],
      nodes: [
        JSON.node(
          "conv", "conv2d", #""input":{"value":"x"},"weight":{"tensor":"conv.weight"},"groups":1"#,
          [[2, 4, 2, 2]]),
        JSON.node(
          "norm", "batch_norm",
          #""input":{"value":"conv"},"weight":{"tensor":"norm.weight"},"running_mean":{"tensor":"norm.mean"}"#,
          [[2, 4, 2, 2]]),
        JSON.node(
          "more", "conv2d",
          #""input":{"value":"norm"},"weight":{"tensor":"more.weight"},"groups":1"#,
          [[2, 2, 2, 2]]),
        JSON.node(
          "both", "cat", #""tensors":[{"value":"norm"},{"value":"more"}],"dim":1"#, [[2, 6, 2, 2]]),
        JSON.node("flat", "view", #""self":{"value":"both"},"size":[2,24]"#, [[2, 24]]),
        JSON.node(
          "head", "linear", #""input":{"value":"flat"},"weight":{"tensor":"head.weight"}"#,
          [[2, 5]]),
      ], outputs: ["head"])
    let found = try graph(json)
    #expect(
      places(found) == [
        "4: conv.weight.0 norm.weight.0 more.weight.1 head.weight.1[0 1 4] norm.mean.0",
        "2: more.weight.0 head.weight.1[16 1 4]",
      ])
    #expect(found.exportedSymmetry?.unknown == [])
    #expect(found.exportedSymmetry?.permutableParameters == found.parameterCount)
  }

  @Test func `heads lie within a fused layer of queries, keys and values`() throws {
    let (q, k, v) = (0, 1, 2)
    let json = JSON.graph(
      tensors: [
        JSON.tensor("in.weight", shape: [6, 5]), JSON.tensor("qkv.weight", shape: [36, 6]),
        JSON.tensor("out.weight", shape: [2, 12]),
      ], input: [2, 7, 5],
      nodes: [
        JSON.node(
          "in", "linear", #""input":{"value":"x"},"weight":{"tensor":"in.weight"}"#, [[2, 7, 6]]),
        JSON.node(
          "qkv", "linear", #""input":{"value":"in"},"weight":{"tensor":"qkv.weight"}"#,
          [[2, 7, 36]]),
        JSON.node("split", "reshape", #""self":{"value":"qkv"}"#, [[2, 7, 3, 4, 3]]),
        JSON.node(
          "front", "permute", #""self":{"value":"split"},"dims":[2,0,3,1,4]"#, [[3, 2, 4, 7, 3]]),
      ]
        + [q, k, v].map {
          JSON.node(
            "part\($0)", "select", #""self":{"value":"front"},"dim":0,"index":\#($0)"#,
            [[2, 4, 7, 3]])
        } + [
          JSON.node(
            "attention", "scaled_dot_product_attention",
            #""query":{"value":"part0"},"key":{"value":"part1"},"value":{"value":"part2"}"#,
            [[2, 4, 7, 3]]),
          JSON.node(
            "back", "transpose", #""self":{"value":"attention"},"dim0":1,"dim1":-2"#,
            [[2, 7, 4, 3]]),
          JSON.node("flat", "reshape", #""self":{"value":"back"}"#, [[2, 7, 12]]),
          JSON.node(
            "out", "linear", #""input":{"value":"flat"},"weight":{"tensor":"out.weight"}"#,
            [[2, 7, 2]]),
        ], outputs: ["out"])
    #expect(
      places(try graph(json)) == [
        "6: in.weight.0 qkv.weight.1", "4: qkv.weight.0[0 3 3] out.weight.1[0 1 3]",
        "3: qkv.weight.0[0 12 1] out.weight.1[0 4 1]",
      ])
  }

  @Test func `an operator without a rule pins what it touches and is named`() throws {
    let json = JSON.perceptron([7, 5, 4, 3], ["a", "b", "c"])
      .replacingOccurrences(
        of: "aten.relu.default\",\"arguments\":{\"self\":{\"value\":\"linear0\"}}",
        with: "my.thing.default\",\"arguments\":{\"self\":{\"value\":\"linear0\"}}")
    let found = try graph(json)
    #expect(places(found) == ["4: b.weight.0 b.bias.0 c.weight.1"])
    let symmetry = try #require(found.exportedSymmetry)
    #expect(
      symmetry.unknown == [.init(name: "my.thing.default", count: 1, firstNode: "relu0")])
    #expect(symmetry.fixed.first?.reason == "my.thing.default has no rule")
    #expect(symmetry.fixed.first?.firstTensor == "a.weight")
    #expect(symmetry.permutableParameters == 4 * 5 + 4 + 3 * 4)
  }

  @Test func `a rule that meets shapes it does not understand pins them`() throws {
    // The view says that it makes six numbers of five.
    let json = JSON.perceptron([7, 5, 3], ["a", "b"])
      .replacingOccurrences(
        of: #""aten.relu.default","arguments":{"self":{"value":"linear0"}},"shapes":[[2, 5]]"#,
        with: #""aten.view.default","arguments":{"self":{"value":"linear0"}},"shapes":[[2, 6]]"#)
    let found = try graph(json)
    #expect(found.symmetry.groups.isEmpty)
    #expect(found.exportedSymmetry?.unknown.map(\.name) == ["aten.view.default"])
  }

  @Test func `what the graph does not read stays as it is`() throws {
    let json = JSON.perceptron([7, 5, 3], ["a", "b"])
      .replacingOccurrences(
        of: #""tensors":["#, with: #""tensors":[\#(JSON.tensor("aside", shape: [5, 5])),"#)
    let found = try graph(json)
    #expect(places(found) == ["5: a.weight.0 a.bias.0 b.weight.1"])
    #expect(found.exportedSymmetry?.fixed.first?.reason == "is not read by the graph")
  }

  @Test(arguments: [
    ("no JSON", "{", "is no JSON object"),
    ("a list", "[]", "is no JSON object"),
    ("our own JSON", #"{"input":[3],"nodes":[]}"#, #"needs "format""#),
    ("another format", #"{"format":"onnx","version":1}"#, "permavg-graph"),
    ("another version", #"{"format":"permavg-graph","version":2}"#, "of version 1"),
    ("no model", #"{"format":"permavg-graph","version":1}"#, #"needs "model""#),
    (
      "a tensor twice", perceptron(replacing: "b.bias", with: "a.bias"),
      #"tensor "a.bias" is there twice"#
    ),
    (
      "a tensor that is not listed",
      perceptron(replacing: #"{"tensor":"b.weight"}"#, with: #"{"tensor":"c"}"#),
      #"node "linear1": reads the tensor "c", which the graph does not list"#
    ),
    (
      "a value that comes later",
      perceptron(replacing: #"{"value":"x"}"#, with: #"{"value":"relu0"}"#),
      #"node "linear0": reads "relu0", which no node before it puts out"#
    ),
    (
      "a node twice", perceptron(replacing: #""name":"relu0""#, with: #""name":"linear0""#),
      #"node "linear0": there are two values"#
    ),
    (
      "an output that is none",
      perceptron(replacing: #""outputs":["linear1"]"#, with: #""outputs":["y"]"#),
      #"its output "y" is no value"#
    ),
    (
      "a shape of words", perceptron(replacing: #""shape":[3, 5]"#, with: #""shape":["a"]"#),
      #"tensor "b.weight" has an axis of a"#
    ),
    (
      "a negative axis", perceptron(replacing: #""shape":[3, 5]"#, with: #""shape":[3, -5]"#),
      "axis of -5"
    ),
    (
      "a huge axis", perceptron(replacing: #""shape":[3, 5]"#, with: #""shape":[3, 5000000000]"#),
      "axis of 5000000000"
    ),
    (
      "a huge tensor",
      perceptron(replacing: #""shape":[3, 5]"#, with: #""shape":[60000000, 60000000]"#), "60000000"
    ),
    ("a type that is none", perceptron(replacing: #""type":"F32""#, with: #""type":"F33""#), "F33"),
    (
      "an argument that is none",
      perceptron(replacing: #"{"tensor":"b.weight"}"#, with: #"{"weight":"b.weight"}"#),
      #"node "linear1": has an argument"#
    ),
  ])
  func `what is no exported graph is an error that says why`(
    what: String, json: String, words: String
  ) {
    let error = #expect(throws: GraphError.self, "\(what)") { try ExportedGraph(json: json) }
    #expect(error?.description.contains(words) == true, "\(what): \(error?.description ?? "")")
  }

  private static func perceptron(replacing old: String, with new: String) -> String {
    ExportedJSON.perceptron([7, 5, 3], ["a", "b"]).replacingOccurrences(of: old, with: new)
  }
}
