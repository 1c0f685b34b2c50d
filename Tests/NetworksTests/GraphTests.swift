import Networks
import TestSupport
import Testing

/// Graphs of nodes: what order they come in, and what is said about those that fit nowhere.
@Suite struct GraphTests {
  @Test func `nodes given out of order are sorted, otherwise they stay as they are`() throws {
    let inOrder = [
      Node("stem", Dense(6), reads: "input"), Node("act", ReLU(), reads: "stem"),
      Node("side", Dense(6), reads: "input"), Node("sum", Add(), reads: "act", "side"),
      Node("head", Dense(4), reads: "sum"),
    ]
    let graph = try Graph(input: [8], inOrder)
    #expect(graph.nodes == inOrder)
    // Of those that could come next, the first given does.
    let reversed = try Graph(input: [8], inOrder.reversed())
    #expect(reversed.nodes.map(\.name) == ["side", "stem", "act", "sum", "head"])
    let shuffled = try Graph(input: [8], [4, 1, 3, 0, 2].map { inOrder[$0] })
    #expect(shuffled.nodes.map(\.name) == ["stem", "act", "side", "sum", "head"])
    #expect(shuffled == graph)
    #expect(shuffled.tensors == graph.tensors)
  }

  @Test func `a graph knows who reads whom`() throws {
    let graph = try Graph(parsing: GraphTextTests.diamond)
    let (stem, sum) = (try #require(graph.node("stem")), try #require(graph.node("sum")))
    #expect(graph.inputs(of: stem) == [nil])
    #expect(graph.inputs(of: sum) == [graph.node("act"), graph.node("norm")])
    #expect(graph.node("input") == nil)
  }

  static let stem = Node("stem", Dense(6), reads: "input")

  @Test(
    arguments: [
      ("no nodes", [], "the graph has no nodes"),
      (
        "a cycle",
        [
          stem, Node("a", Add(), reads: "stem", "c"), Node("b", ReLU(), reads: "a"),
          Node("c", ReLU(), reads: "b"),
        ],
        #"node "a": reads its own value by way of "a", "b", "c""#
      ),
      (
        "a node that reads itself", [Node("a", ReLU(), reads: "a")],
        #"node "a": reads its own value"#
      ),
      (
        "an unknown input", [stem, Node("a", ReLU(), reads: "stam")],
        #"node "a": reads "stam", and there is no such node"#
      ),
      (
        "a name twice", [stem, Node("stem", ReLU(), reads: "stem")],
        #"node "stem": there are two nodes of this name"#
      ),
      (
        "a node called as the input is", [Node("input", Dense(2), reads: "input")],
        #"node "input": there are two nodes of this name"#
      ),
      ("no name", [Node("", Dense(2), reads: "input")], "or it has none"),
      (
        "sums of other shapes",
        [
          stem, Node("other", Dense(5), reads: "input"), Node("sum", Add(), reads: "stem", "other"),
        ],
        #"node "sum": add adds values of one shape, and its inputs have [6] and [5]"#
      ),
      (
        "a sum of one", [stem, Node("sum", Add(), reads: "stem")],
        #"node "sum": add takes two inputs, and has 1"#
      ),
      (
        "a sum of three", [stem, Node("sum", Add(), reads: "stem", "stem", "stem")],
        #"node "sum": add takes two inputs, and has 3"#
      ),
      (
        "a layer of no inputs", [Node("a", Dense(2), reads: [])],
        #"node "a": dense(2) takes one input, and has 0"#
      ),
      (
        "a layer of two inputs", [stem, Node("a", ReLU(), reads: "stem", "input")],
        #"node "a": relu takes one input, and has 2"#
      ),
      (
        "a value that nobody reads",
        [stem, Node("lost", ReLU(), reads: "stem"), Node("head", Dense(2), reads: "stem")],
        #"node "lost": nobody reads its value, and the output is "head""#
      ),
    ] as [(String, [Node], String)])
  func `nodes that are no graph are an error that names one`(
    what: String, nodes: [Node], words: String
  ) {
    let error = #expect(throws: GraphError.self, "\(what)") { try Graph(input: [8], nodes) }
    #expect(error?.description.contains(words) == true, "\(what): \(error?.description ?? "")")
  }

  @Test(
    arguments: [
      (Node("a", Dense(3), reads: "input"), #"node "a": dense(3) takes a vector"#),
      (Node("a", LayerNorm(), reads: "input"), #"node "a": layernorm normalises a vector"#),
      (Node("a", ReLU(), reads: "input"), #"node "a": is the output, which is to be a vector"#),
    ] as [(Node, String)])
  func `a matrix where a vector belongs is an error that names the node`(
    node: Node, words: String
  ) {
    let error = #expect(throws: GraphError.self) { try Graph(input: [4, 5], [node]) }
    #expect(error?.node == "a")
    #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    #expect(error?.description.contains("[4, 5]") == true)
  }

  @Test func `too many parameters are an error, however many`() throws {
    #expect(Graph("16777216-63-1") != nil)
    for text in [
      "16777216-64-1", "16777216-16777216-16777216-16777216-1", "2-16777216-16777216",
      "residual:784-512x10000-10", "residual:16777216-16777216x10000-16777216",
    ] {
      let error = #expect(throws: GraphError.self) { try Graph(parsing: text) }
      #expect(error?.node?.isEmpty == false)
      #expect(
        error?.problem.hasSuffix("the 1073741824 numbers that a network may have") == true,
        "\(text)")
    }
    let nodes = [Node("a", Dense(3), reads: "input"), Node("b", Dense(2), reads: "a")]
    #expect(try Graph(input: [4], nodes, limit: 23).parameterCount == 23)
    let error = #expect(throws: GraphError.self) { try Graph(input: [4], nodes, limit: 22) }
    #expect(
      error?.description == #"node "b": its bias of shape [2] makes more than the 22 numbers"#
        + " that a network may have")
  }

  @Test(arguments: ["6-5-4-3", "6-5-3", "residual:6-5x2-3"])
  func `a network is its first node and the rest`(text: String) throws {
    let network = try randomNetwork(text)
    let inputs = normals(7 * 6, seed: 1)
    let parts = try #require(network.graph.firstNodeAndRest)
    let (first, rest) = (network.part(parts.first), network.part(parts.rest))
    let values = logits(first, inputs, rows: 7)
    #expect(logits(rest, values, rows: 7) == logits(network, inputs, rows: 7))
    #expect(first.graph.nodes.map(\.name) == [network.graph.nodes[0].name])
    #expect(first.parameters + rest.parameters == network.parameters)
    #expect(values.contains { $0 < 0 })
  }

  @Test func `a graph without a single first node is not cut in two`() throws {
    #expect(try #require(Graph("6-3")).firstNodeAndRest == nil)
    let wide = try Graph(
      input: [4],
      [
        Node("a", Dense(4), reads: "input"), Node("sum", Add(), reads: "a", "input"),
        Node("head", Dense(2), reads: "sum"),
      ])
    #expect(wide.firstNodeAndRest == nil)
  }

  @Test(arguments: 0..<10)
  func `the part up to a node computes the node's value`(seed: Int) throws {
    let network = try randomGraphNetwork(seed: seed)
    let graph = network.graph
    let inputs = normals(5 * graph.inputs, seed: seed)
    var workspace = Workspace(graph, capacity: 5)
    network.forward(inputs, rows: 5, workspace: &workspace)
    var compared = 0
    for node in graph.nodes.indices {
      // A node's value that its ReLU took away was never there.
      guard let value = workspace.value(of: node) else { continue }
      #expect(logits(network.part(upTo: node), inputs, rows: 5) == value)
      compared += 1
    }
    #expect(compared > 2)
    #expect(workspace.value(of: graph.nodes.count - 1) == workspace.logits)
  }
}
