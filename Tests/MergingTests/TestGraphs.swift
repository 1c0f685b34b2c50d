import Merging
import Networks
import Testing

/// Graphs that are no chains, as texts.
enum TestGraphs {
  /// Residual perceptrons: all blocks number the stream's units.
  static let residual = ["residual:6-8x2-4", "residual:5-7x1-3", "residual:9-12x4-6"]

  /// h + relu(W h) twice: one group numbers both axes of W.
  static let paired = text(
    [6], ("stem", "dense(9)", ["input"]), ("mix.0", "dense(9)", ["stem"]),
    ("act.0", "relu", ["mix.0"]), ("sum.0", "add", ["stem", "act.0"]),
    ("mix.1", "dense(9)", ["sum.0"]), ("act.1", "relu", ["mix.1"]),
    ("sum.1", "add", ["sum.0", "act.1"]), ("head", "dense(4)", ["sum.1"]))

  /// A group on both axes of a tensor beside groups of other kinds, and a way past all hidden units to the logits.
  static let mixed = text(
    [6], ("stem", "dense(9)", ["input"]), ("stem.act", "relu", ["stem"]),
    ("mix", "dense(9)", ["stem.act"]), ("mix.act", "relu", ["mix"]),
    ("mix.sum", "add", ["stem.act", "mix.act"]), ("norm", "layernorm", ["mix.sum"]),
    ("up", "dense(11)", ["norm"]), ("up.act", "relu", ["up"]), ("down", "dense(9)", ["up.act"]),
    ("sum", "add", ["mix.sum", "down"]), ("head", "dense(4)", ["sum"]),
    ("skip", "dense(4)", ["input"]), ("logits", "add", ["head", "skip"]))

  /// Whether a method has something to do on a graph: where logits are a sum there is no head to fit, and none has statistics.
  static func suits(_ method: String, _ text: String) -> Bool {
    !(method.hasPrefix("refit-head") && text == mixed) && method != MergeMethod.reset.name
  }

  static let all = residual + [paired, mixed]

  private static func text(_ input: [Int], _ nodes: (String, String, [String])...) -> String {
    let nodes = nodes.map { name, layer, inputs in
      #"{"name":"\#(name)","layer":"\#(layer)","inputs":\#(inputs)}"#
    }
    return #"{"input":\#(input),"nodes":[\#(nodes.joined(separator: ","))]}"#
  }
}

@Suite struct TestGraphsTests {
  @Test func `groups stand where tests want them`() throws {
    let residual = try #require(Graph(TestGraphs.residual[0]))
    #expect(residual.symmetry.groups.map(\.count) == [8, 8, 8])
    for (text, tensors, sizes) in [
      (TestGraphs.paired, ["mix.0.weight", "mix.1.weight"], [9]),
      (TestGraphs.mixed, ["mix.weight"], [9, 11]),
    ] {
      let graph = try #require(Graph(text))
      #expect(graph.symmetry.groups.map(\.count) == sizes)
      for tensor in graph.tensors where tensor.shape.count == 2 {
        let groups = [0, 1].map { graph.symmetry.group(of: tensor, axis: $0) }
        let isPaired = groups[0] != nil && groups[0] == groups[1]
        #expect(isPaired == tensors.contains(tensor.name), "\(tensor.name)")
      }
    }
  }
}
