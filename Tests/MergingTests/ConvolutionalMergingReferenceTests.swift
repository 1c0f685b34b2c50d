import Networks
import TestSupport
import Testing

@testable import Merging

/// Merging of convolutional members, against PyTorch's, NumPy's and SciPy's answers.
@Suite struct ConvolutionalMergingReferenceTests {
  private let fixture: Fixture
  private let inputs: [Float]

  init() throws {
    fixture = try Fixture("convolutional-merging")
    inputs = try fixture.floats("inputs")
  }

  private static func graph(_ name: String) throws -> Graph {
    func block(_ layer: String, _ convolution: String, _ input: String) -> [String] {
      let norm = name == "normalized"
      return [
        node(layer, convolution, input), norm ? node("\(layer).norm", "batchnorm", layer) : nil,
        node("\(layer).act", "relu", norm ? "\(layer).norm" : layer),
      ].compactMap(\.self)
    }
    func node(_ name: String, _ layer: String, _ input: String) -> String {
      #"{"name":"\#(name)","layer":"\#(layer)","inputs":["\#(input)"]}"#
    }
    let nodes =
      block("a", "conv2d(6,kernel=3,padding=1)", "input")
      + [node("pool", "maxpool(2)", "a.act")]
      + block("b", "conv2d(8,kernel=3,stride=2)", "pool")
      + [
        node("flatten", "flatten", "b.act"), node("c", "dense(9)", "flatten"),
        node("c.act", "relu", "c"), node("head", "dense(4)", "c.act"),
      ]
    return try Graph(
      parsing: #"{"input":[2,10,10],"nodes":[\#(nodes.joined(separator: ","))]}"#)
  }

  private func merge(_ chain: String, _ name: String) throws -> MergeState {
    let graph = try Self.graph(name)
    let members = try (0..<3).map { number in
      let prefix = "\(name).members.\(number)."
      return Network(
        graph, parameters: try graph.tensors.flatMap { try fixture.floats(prefix + $0.name) },
        buffers: try graph.buffers.flatMap {
          $0.role == .count ? [1] : try fixture.floats(prefix + $0.name)
        })
    }
    var runner = try ChainRunner(members)
    let resources = MergeResources(samples: SamplesInMemory(inputs, features: graph.inputs))
    return try runner.run(try MethodChain(parsing: chain), in: LocalSurroundings(resources)).state
  }

  @Test(arguments: ["plain", "normalized"])
  func `activation matching finds SciPy's permutations of channels`(name: String) throws {
    let merge = try merge("activation-matching", name)
    for member in 0..<3 {
      for group in 0..<3 {
        let expected = Permutation(try fixture.integers("\(name).permutation.\(member).\(group)"))
        #expect(merge.alignment.permutations[member][group] == expected)
        #expect((member == 0) == (expected.fixedPoints == expected.count))
      }
    }
  }

  @Test(arguments: ["repair", "least-squares"])
  func `a corrected network has NumPy's weights`(name: String) throws {
    let before = try merge("activation-matching", "plain").network
    let network = try merge("activation-matching,\(name)", "plain").network
    let expected = try network.graph.tensors.flatMap {
      try fixture.doubles("plain.\(name).\($0.name)")
    }
    #expect(largestDifference(network.parameters.map(Double.init), expected) < 1e-4)
    #expect(largestDifference(before.parameters.map(Double.init), expected) > 0.1)
  }

  @Test(arguments: ["plain", "normalized"], ["repair", "least-squares"])
  func `a corrected network has NumPy's logits`(name: String, method: String) throws {
    let network = try merge("activation-matching,\(method)", name).network
    let expected = try fixture.doubles("\(name).\(method).logits")
    let own = logits(network, inputs, rows: 200).map(Double.init)
    #expect(largestDifference(own, expected) < 2e-4)
    #expect(network.graph == (try Self.graph(name)))
  }

  @Test func `reset statistics are those of PyTorch's training mode`() throws {
    let network = try merge("activation-matching,reset", "normalized").network
    for buffer in network.graph.buffers where buffer.role != .count {
      let expected = try fixture.doubles("normalized.reset.\(buffer.name)")
      #expect(
        largestDifference(network.buffers[buffer.range].map(Double.init), expected) < 1e-5,
        "\(buffer.name)")
    }
    let own = logits(network, inputs, rows: 200).map(Double.init)
    #expect(largestDifference(own, try fixture.doubles("normalized.reset.logits")) < 1e-4)
  }
}
