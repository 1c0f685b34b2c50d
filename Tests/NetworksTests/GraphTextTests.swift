import Foundation
import Networks
import Testing

/// Graphs as texts: those of families, and JSON.
@Suite struct GraphTextTests {
  @Test(arguments: [
    ("784-512-10", [784, 512, 10]), ("2-1", [2, 1]), ("16777216-1", [1 << 24, 1]),
    ("784-512-256-128-10", [784, 512, 256, 128, 10]),
  ])
  func `a text of widths is a perceptron`(text: String, widths: [Int]) throws {
    let graph = try #require(Graph(text))
    #expect(graph.description == text)
    #expect([graph.inputs] + graph.symmetry.groups.map(\.count) + [graph.outputs] == widths)
    #expect(graph.inputShape == [widths[0]])
    let layers = widths.indices.dropLast().map { "layers.\($0)" }
    #expect(graph.nodes.filter { $0.layer is Dense }.map(\.name) == layers)
    #expect(graph.nodes.count { $0.layer is ReLU } == widths.count - 2)
    #expect(graph.nodes.last?.name == layers.last)
  }

  @Test(arguments: [("residual:784-512x4-10", 784, 512, 4, 10), ("residual:1-1x1-1", 1, 1, 1, 1)])
  func `a text of a stream and blocks is a residual perceptron`(
    text: String, inputs: Int, units: Int, blocks: Int, outputs: Int
  ) throws {
    let graph = try #require(Graph(text))
    #expect(graph.description == text)
    #expect((graph.inputs, graph.outputs) == (inputs, outputs))
    #expect(graph.nodes.count { $0.layer is Add } == blocks)
    #expect(graph.nodes.count { $0.layer is LayerNorm } == blocks + 1)
    let block = 2 * (units + 1) * units + 2 * units
    #expect(
      graph.parameterCount
        == (inputs + 1) * units + blocks * block + 2 * units + (units + 1) * outputs)
  }

  @Test(arguments: [
    "", "784", "-", "784-", "-784-10", "784--10", "784-0-10", "784-a-10", "784 -10", "784x512x10",
    "784-512.5-10", "784-+5-10", "16777217-10", "99999999999999999999-10", "784-−5-10",
    "residual:", "residual:784-512-10", "residual:784-512x0-10", "residual:784-512x-10",
    "residual:784-512x2x2-10", "residual:784-x4-10", "residual:784-512x4", "residual:784-512x4-10-",
    "residual:784-512x10001-10", "residual:784-512x 4-10", "Residual:784-512x4-10", "vgg:16", "{",
    "{}", "[]",
  ])
  func `a text that is no graph is none`(text: String) {
    #expect(Graph(text) == nil)
  }

  @Test func `what is no architecture is an error that says what there is`() {
    let unknown = #expect(throws: GraphError.self) { try Graph(parsing: "resnet:20") }
    #expect(unknown?.description.hasPrefix("\"resnet:20\" is no architecture; there are ") == true)
    #expect(unknown?.description.contains("784-512-10 (widths") == true)
    #expect(unknown?.description.contains("residual:784-512x4-10 (a stream") == true)
    let near = #expect(throws: GraphError.self) { try Graph(parsing: "residual:784-512-10") }
    #expect(
      near?.description
        == "\"residual:784-512-10\": expected residual:INPUTS-WIDTHxBLOCKS-OUTPUTS,"
        + " as residual:784-512x4-10")
  }

  @Test(arguments: ["3-2", "784-512-10", "5-4-3-2-1", "residual:8-6x2-4"])
  func `the tensors tile the block of parameters`(text: String) throws {
    let graph = try #require(Graph(text))
    var end = 0
    for tensor in graph.tensors {
      #expect(tensor.range.lowerBound == end)
      #expect(tensor.range.count == tensor.shape.reduce(1, *))
      let name = graph.nodes[tensor.node].name
      #expect(["\(name).weight", "\(name).bias"].contains(tensor.name))
      #expect(tensor.role == (tensor.name.hasSuffix("weight") ? .weight : .bias))
      #expect(graph.tensors(of: tensor.node).contains(tensor))
      end = tensor.range.upperBound
    }
    #expect(end == graph.parameterCount)
    #expect(Set(graph.tensorNames).count == graph.tensors.count)
    #expect((graph.bufferCount, graph.buffers.count) == (0, 0))
  }

  @Test func `a perceptron has the tensors that its widths say`() throws {
    let graph = try #require(Graph("5-4-3"))
    #expect(
      graph.tensorNames == [
        "layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias",
      ])
    #expect(graph.tensors.map(\.shape) == [[4, 5], [4], [3, 4], [3]])
    #expect(graph.tensors.allSatisfy { $0.decays })
  }

  @Test func `a graph is its text in JSON`() throws {
    let graphs = try ["784-512-10", "residual:8-6x2-4"].map { try #require(Graph($0)) }
    let json = try JSONEncoder().encode(graphs)
    #expect(String(decoding: json, as: UTF8.self) == #"["784-512-10","residual:8-6x2-4"]"#)
    #expect(try JSONDecoder().decode([Graph].self, from: json) == graphs)
    let error = #expect(throws: DecodingError.self) {
      try JSONDecoder().decode([Graph].self, from: Data(#"["784"]"#.utf8))
    }
    #expect("\(String(describing: error))".contains("784-512-10"))
  }

  static let diamond = #"""
    {"input":[8],"nodes":[{"inputs":["input"],"layer":"dense(6)","name":"stem"},\#
    {"inputs":["stem"],"layer":"relu","name":"act"},\#
    {"inputs":["stem"],"layer":"layernorm(0.001)","name":"norm"},\#
    {"inputs":["act","norm"],"layer":"add","name":"sum"},\#
    {"inputs":["sum"],"layer":"dense(4)","name":"head"}]}
    """#

  @Test func `a graph that no family makes is JSON, the same each time`() throws {
    let graph = try Graph(parsing: Self.diamond)
    #expect(graph.description == Self.diamond)
    let again = try #require(Graph(graph.description))
    #expect(again == graph)
    #expect(again.hashValue == graph.hashValue)
    #expect(again.tensors == graph.tensors)
    let own = try Graph(
      input: [8],
      [
        Node("stem", Dense(6), reads: "input"), Node("act", ReLU(), reads: "stem"),
        Node("norm", LayerNorm(epsilon: 1e-3), reads: "stem"),
        Node("sum", Add(), reads: "act", "norm"), Node("head", Dense(4), reads: "sum"),
      ])
    #expect(own == graph)
    let json = try JSONEncoder().encode([graph])
    #expect(try JSONDecoder().decode([Graph].self, from: json) == [graph])
    let other = try Graph(
      parsing: Self.diamond.replacingOccurrences(of: "0.001", with: "0.002"))
    #expect(other != graph)
  }

  @Test(arguments: ["5-4-3", "5-3", "residual:8-6x2-4"])
  func `a family's graph is the one that its description in JSON makes`(text: String) throws {
    let graph = try #require(Graph(text))
    let described = try Graph(parsing: GraphDescription(graph).json)
    #expect(described == graph)
    // Equal graphs may stand for each other in sets, too.
    #expect(described.hashValue == graph.hashValue)
    #expect(described.tensors == graph.tensors)
    #expect(described.symmetry == graph.symmetry)
  }

  @Test(arguments: [
    ("{", "is no graph, which looks like {\"input\": [784]"),
    ("{}", "is no graph"),
    (#"{"input":[8],"nodes":[{"name":"a","layer":"dense(2)"}]}"#, "is no graph"),
    (#"{"input":8,"nodes":[]}"#, "is no graph"),
    (#"{"input":[8],"nodes":[]}"#, "the graph has no nodes"),
    (
      #"{"input":[8],"nodes":[{"name":"a","layer":"conv(3)","inputs":["input"]}]}"#,
      "node \"a\": there is no layer \"conv(3)\"; there are dense(outputs), relu, add, layernorm"
    ),
    (
      #"{"input":[8],"nodes":[{"name":"a","layer":"dense","inputs":["input"]}]}"#,
      "node \"a\": there is no layer \"dense\""
    ),
    (
      #"{"input":[8],"nodes":[{"name":"a","layer":"dense(2","inputs":["input"]}]}"#,
      "node \"a\": there is no layer \"dense(2\""
    ),
    (
      #"{"input":[8],"nodes":[{"name":"a","layer":"relu(1)","inputs":["input"]}]}"#,
      "node \"a\": there is no layer \"relu(1)\""
    ),
    (
      #"{"input":[8],"nodes":[{"name":"a","layer":"layernorm(0)","inputs":["input"]}]}"#,
      "node \"a\": there is no layer \"layernorm(0)\""
    ),
    (
      #"{"input":[8],"nodes":[{"name":"a","layer":"dense(0)","inputs":["input"]}]}"#,
      "node \"a\": dense(0) has 0 outputs, expected 1 to 16777216"
    ),
    (
      #"{"input":[8],"nodes":[{"name":"a","layer":"dense(9223372036854775807)","inputs":["input"]}]}"#,
      "has 9223372036854775807 outputs"
    ),
    (
      #"{"input":[0],"nodes":[{"name":"a","layer":"dense(2)","inputs":["input"]}]}"#,
      "the input has the shape [0]"
    ),
    (
      #"{"input":[],"nodes":[{"name":"a","layer":"relu","inputs":["input"]}]}"#,
      "the input has the shape []"
    ),
  ])
  func `JSON that is no graph is an error that says why`(text: String, words: String) {
    let error = #expect(throws: GraphError.self) { try Graph(parsing: text) }
    #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    #expect(Graph(text) == nil)
  }

  @Test func `parameters of another count are a precondition failure`() async {
    await #expect(processExitsWith: .failure) {
      if let graph = Graph("2-1") { _ = Network(graph, parameters: [1, 2]) }
    }
  }
}
