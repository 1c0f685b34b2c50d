import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

/// Heads that are fitted to labels by logistic regression.
@Suite struct LogisticHeadTests {
  /// What SciPy was given.
  private struct Reference {
    let fixture: Fixture
    let network: Network
    let samples: SamplesInMemory
    let inputs: [Float]

    init() throws {
      fixture = try Fixture("heads")
      let graph = try #require(Graph("6-9-4"))
      network = Network(graph, parameters: try fixture.parameters(graph, prefix: "network."))
      inputs = try fixture.floats("inputs")
      samples = SamplesInMemory(inputs, labels: try fixture.integers("labels"), features: 6)
    }

    /// Mean cross entropy plus λ/2 ‖W‖², in double precision.
    func loss(_ network: Network, ridge: Double) throws -> Double {
      let logits = logits(network, inputs, rows: samples.count)
      var sum = 0.0
      for (row, label) in samples.labels.enumerated() {
        let own = logits[row * 4..<(row + 1) * 4].map { Double($0) }
        sum += Double.log(own.reduce(0) { $0 + Double.exp($1) }) - own[label]
      }
      let weight = try #require(network.graph.weight(of: network.graph.nodes.count - 1))
      let square = network.parameters[weight.range].reduce(0) { $0 + Double($1) * Double($1) }
      return sum / Double(samples.count) + ridge / 2 * square
    }
  }

  @Test(arguments: [0, 1]) func `the head is SciPy's`(case index: Int) throws {
    let reference = try Reference()
    let ridge = try reference.fixture.doubles("\(index).lambda")[0]
    let resources = MergeResources(samples: reference.samples)
    let merged = try run(
      "refit-head-labels(fit=logistic,ridge=\(ridge))", [reference.network], resources: resources
    ).network
    let least = try reference.fixture.doubles("\(index).loss")[0]
    let found = try reference.loss(merged, ridge: ridge)
    #expect(found > least - 1e-6 && found < least * 1.002, "\(found), not \(least)")
    let again = try run(
      "refit-head-labels(fit=logistic,ridge=\(ridge))", [merged], resources: resources
    ).network
    #expect(again.parameters == merged.parameters, "it starts from zero, not from the head")
  }

  @Test(arguments: [nil, 3]) func `the gradient is the loss's`(judged: Int?) throws {
    let reference = try Reference()
    let shape = HeadShape(features: 9, classes: 4)
    let rows = HeadRows(
      LayerInputs(of: reference.network, reference.network.graph.nodes.count - 1))
    let part = SampleSums.Part(
      samples: reference.samples, chunks: [0..<256, 256..<600], labels: reference.samples.labels)
    let heads = normals(2 * shape.count, seed: 4)
    func evaluation(_ heads: [Float], _ place: Int) -> HeadEvaluation {
      let numbers = shape.evaluate(heads, on: part, number: 0, rows, leavingOut: judged)
      let each = shape.evaluationCount
      return HeadEvaluation(numbers[place * each..<(place + 1) * each])
    }
    for place in 0..<2 {
      let whole = evaluation(heads, place)
      #expect(whole.count + whole.judgedCount == 600)
      #expect(whole.judgedCount == (judged == nil ? 0 : 200))
      let size = whole.gradient.map(abs).max() ?? 0
      for (i, derivative) in whole.gradient.enumerated() {
        var (up, down) = (heads, heads)
        up[place * shape.count + i] += 0.01
        down[place * shape.count + i] -= 0.01
        let slope = (evaluation(up, place).loss - evaluation(down, place).loss) / 0.02
        #expect(abs(Float(slope) - derivative) < 5e-3 * size, "\(i): \(slope), \(derivative)")
      }
    }
  }

  @Test func `λ is chosen on samples that are left out`() throws {
    // Labels that the inputs say nothing of want a head that says nothing.
    let network = randomNetwork(try #require(Graph("6-60-4")), seed: 1)
    var random = RandomStream(seed: 2, "labels")
    let labels = (0..<240).map { _ in Int(random.next() % 4) }
    let samples = SamplesInMemory(normals(240 * 6, seed: 3), labels: labels, features: 6)
    func norm(_ chain: String) throws -> Float {
      let merged = try run(chain, [network], resources: MergeResources(samples: samples)).network
      let weight = try #require(merged.graph.weight(of: merged.graph.nodes.count - 1))
      return merged.parameters[weight.range].reduce(0) { $0 + $1 * $1 }.squareRoot()
    }
    let chosen = try norm("refit-head-labels(fit=logistic)")
    #expect(try chosen < 1.05 * norm("refit-head-labels(fit=logistic,ridge=\(64.0 / 240))"))
    #expect(try chosen < 0.3 * norm("refit-head-labels(fit=logistic,ridge=\(1.0 / 240))"))
  }

  @Test func `numbers that are infinite are said to be the weights'`() throws {
    let reference = try Reference()
    var network = reference.network
    let weight = try #require(network.graph.weight(of: 0))
    for i in weight.range { network.parameters[i] = 1e30 }
    let error = #expect(throws: MergeError.self) {
      try run(
        "refit-head-labels(fit=logistic)", [network],
        resources: MergeResources(samples: reference.samples))
    }
    #expect(error?.isAboutWeights == true && error?.description.contains("no solution") == true)
  }

  // MARK: - The search

  /// Σ d x²/2 + Σ x⁴/4 − Σ x, with d from 1 to 10⁴ and a preconditioner of half of it.
  @Test func `few steps find the least of a badly scaled function`() {
    let scales = (0..<20).map { Double.exp(Double($0) / 19 * Double.log(1e4)) }
    var search = LimitedMemoryBFGS(from: Array(repeating: 0, count: 20)) { gradient in
      zip(gradient, scales).map { $0 / (0.5 * $1) }
    }
    var steps = 0
    func gradient(_ x: [Double]) -> [Double] { zip(x, scales).map { $1 * $0 + $0 * $0 * $0 - 1 } }
    while steps < 40, (gradient(search.point).map(abs).max() ?? 0) > 1e-3 {
      let x = search.proposal
      let loss = zip(x, scales).reduce(0) {
        $0 + $1.1 / 2 * $1.0 * $1.0 + $1.0 * $1.0 * $1.0 * $1.0 / 4 - $1.0
      }
      search.advance(loss: loss, gradient: gradient(x))
      steps += 1
    }
    #expect(steps < 20, "\(steps)")
  }

  @Test func `a step that is too long is halved, and the best point is kept`() {
    var search = LimitedMemoryBFGS(from: [1]) { $0.map { 8 * $0 } }
    var losses: [Double] = []
    for _ in 0..<12 {
      let x = search.proposal[0]
      search.advance(loss: x * x / 2, gradient: [x])
      losses.append(search.point[0] * search.point[0] / 2)
    }
    #expect(losses == losses.sorted(by: >) && losses[1] == losses[0] && abs(search.point[0]) < 1e-3)
  }
}
