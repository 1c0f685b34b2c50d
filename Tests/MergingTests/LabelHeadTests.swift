import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

/// Heads that are fitted to labels, in closed form.
@Suite struct LabelHeadTests {
  private func problem(_ text: String, rows: Int = 150) throws -> (Network, RandomBatches) {
    let network = randomNetwork(try #require(Graph(text)), seed: 1)
    return (
      network,
      RandomBatches(labelledBy: randomNetwork(network.graph, seed: 2), count: rows, seed: 3)
    )
  }

  /// Softmax cross entropy of one row of logits.
  private func loss(_ logits: [Double], _ label: Int) -> Double {
    let largest = logits.max() ?? 0
    return largest + Double.log(logits.reduce(0) { $0 + Double.exp($1 - largest) }) - logits[label]
  }

  /// The regression of some rows, by Gaussian elimination in double precision; weights of class c at [feature][c].
  private func regression(
    _ h: [[Double]], _ labels: [Int], classes: Int, ridge: Double, count: Int
  ) -> [[Double]] {
    let n = h[0].count
    var rows = (0..<n).map { i in
      (0..<n).map { j in
        h.reduce(0) { $0 + $1[i] * $1[j] } + (i == j && i < n - 1 ? ridge * Double(count) : 0)
      }
        + (0..<classes).map { c in
          zip(h, labels).reduce(0) { $0 + ($1.1 == c ? $1.0[i] : 0) }
        }
    }
    for i in 0..<n {
      let pivot = (i..<n).max { abs(rows[$0][i]) < abs(rows[$1][i]) } ?? i
      rows.swapAt(i, pivot)
      for k in 0..<n where k != i {
        let factor = rows[k][i] / rows[i][i]
        for j in i..<rows[k].count { rows[k][j] -= factor * rows[i][j] }
      }
    }
    return (0..<n).map { i in (0..<classes).map { rows[i][n + $0] / rows[i][i] } }
  }

  /// Rows of what the head reads, with a 1 behind.
  private func features(_ network: Network, _ samples: any Samples) -> [[Double]] {
    var inputs = [Float](repeating: 0, count: samples.count * samples.features)
    samples.write(0..<samples.count, into: &inputs)
    let below = network.part(upTo: network.graph.nodes.count - 2)
    let values = below.outputs(inputs, rows: samples.count)
    let n = below.graph.outputs
    return (0..<samples.count).map { row in
      values[row * n..<(row + 1) * n].map(Double.init) + [1]
    }
  }

  /// Samples whose mirror image has the features in reverse.
  private struct Mirrored: Samples {
    let samples: SamplesInMemory
    var isMirrored = false

    var count: Int { samples.count }
    var features: Int { samples.features }
    var labels: [Int] { samples.labels }
    var views: [any Samples] { [self, Mirrored(samples: samples, isMirrored: true)] }

    func write(_ range: Range<Int>, into inputs: inout [Float]) {
      samples.write(range, into: &inputs)
      guard isMirrored else { return }
      for row in 0..<range.count {
        inputs[row * features..<(row + 1) * features].reverse()
      }
    }
  }

  /// The formula that spares the refits must say what refits say.
  @Test(arguments: [false, true]) func `leaving a sample out is fitting without it`(hasViews: Bool)
    throws
  {
    let (network, batches) = try problem("6-9-4", rows: 60)
    let memory = SamplesInMemory(batches.inputs, labels: batches.labels, features: 6)
    let samples: any Samples = hasViews ? Mirrored(samples: memory) : memory
    let views = samples.views.map { features(network, $0) }
    let (ridge, scale) = (1e-3, 7.0)
    var expected = 0.0
    for left in 0..<60 {
      let kept = (0..<60).filter { $0 != left }
      // λ N stays that of all samples.
      let weights = regression(
        views.flatMap { view in kept.map { view[$0] } },
        views.flatMap { _ in kept.map { batches.labels[$0] } }, classes: 4, ridge: ridge,
        count: 60 * views.count)
      let logits = (0..<4).map { c in
        scale * zip(views[0][left], weights).reduce(0) { $0 + $1.0 * $1.1[c] }
      }
      expected += loss(logits, batches.labels[left])
    }
    let sums = SampleSums(samples)
    let inputs = LayerInputs(of: network, network.graph.nodes.count - 1)
    let equations = try sums.equations(features: 9, targets: 4, withViews: true) {
      rows, _, labels in
      (
        inputs.of(rows, rows: labels.count),
        labels.flatMap { label in (0..<4).map { $0 == label ? 1 : 0 } }
      )
    }
    let fit = try #require(RidgeFit(equations, ridge))
    let part = SampleSums.Part(samples: samples, chunks: [0..<60], labels: batches.labels)
    let found = fit.lossesLeavingOut(part, inputs, scales: [Float(scale)], most: 60)[0]
    #expect(abs(found - expected) < 1e-3 * expected, "\(found), \(expected)")
  }

  @Test func `the head is the regression, scaled`() throws {
    let (network, batches) = try problem("6-9-4")
    let samples = SamplesInMemory(batches.inputs, labels: batches.labels, features: 6)
    let merged = try run(
      "refit-head-labels(ridge=0.001)", [network], resources: MergeResources(samples: samples)
    )
    .network
    let weights = regression(
      features(network, samples), batches.labels, classes: 4, ridge: 1e-3, count: 150)
    let tensor = try #require(merged.graph.weight(of: merged.graph.nodes.count - 1))
    let ratios = (0..<4).flatMap { c in
      (0..<9).map {
        Double(merged.parameters[tensor.range.lowerBound + 9 * c + $0]) / weights[$0][c]
      }
    }
    let scale = ratios[0]
    #expect(scale > 1 && ratios.allSatisfy { abs($0 - scale) < 1e-3 * scale }, "\(ratios)")
    // A quarter of an octave apart.
    #expect(abs(4 * Double.log2(scale) - (4 * Double.log2(scale)).rounded()) < 0.01)
    let below = merged.graph.tensors.filter { $0.node < merged.graph.nodes.count - 1 }
    for tensor in below {
      #expect(merged.parameters[tensor.range] == network.parameters[tensor.range])
    }
  }

  @Test func `a fitted head is better than a random one, and than that of another network`() throws
  {
    let (network, batches) = try problem("6-40-4", rows: 2000)
    let samples = SamplesInMemory(batches.inputs, labels: batches.labels, features: 6)
    let merged = try run(
      "refit-head-labels", [network], resources: MergeResources(samples: samples)
    ).network
    let other = RandomBatches(
      labelledBy: randomNetwork(network.graph, seed: 2), count: 2000, seed: 8)
    func accuracy(_ network: Network) -> Double {
      var workspace = Workspace(network.graph, capacity: 2000)
      network.forward(other.inputs, rows: 2000, workspace: &workspace)
      return Double(CrossEntropy().evaluate(other.whole, workspace: &workspace).correct) / 2000
    }
    #expect(accuracy(merged) > 0.8 && accuracy(network) < 0.5, "\(accuracy(merged))")
  }

  @Test func `labels are asked for`() throws {
    let (network, batches) = try problem("6-9-4")
    let resources = MergeResources(samples: SamplesInMemory(batches.inputs, features: 6))
    let error = #expect(throws: MergeError.self) {
      try run("refit-head-labels", [network], resources: resources)
    }
    #expect(error?.description.contains("needs labels") == true)
  }
}
