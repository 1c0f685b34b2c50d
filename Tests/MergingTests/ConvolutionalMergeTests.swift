import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

/// Merging of convolutional members by what their channels do.
@Suite struct ConvolutionalMergeTests {
  /// Plain, on three channels, with a mean over pixels before the head, and residual with batch normalisation.
  static let graphs = ["lenet5:1x12x12-4", "cnn:2x8x8-4", normalized, "resnet8:1x8x8-4"]

  /// Convolutions with biases under normalisations, as VGG has them, and one with a stride.
  static let normalized =
    #"{"input":[1,9,9],"nodes":[{"name":"a","layer":"conv2d(6,kernel=3,padding=1)","inputs":["input"]},"#
    + #"{"name":"a.norm","layer":"batchnorm","inputs":["a"]},{"name":"a.act","layer":"relu","inputs":["a.norm"]},"#
    + #"{"name":"b","layer":"conv2d(8,kernel=3,stride=2)","inputs":["a.act"]},"#
    + #"{"name":"b.norm","layer":"batchnorm","inputs":["b"]},{"name":"b.act","layer":"relu","inputs":["b.norm"]},"#
    + #"{"name":"flatten","layer":"flatten","inputs":["b.act"]},{"name":"c","layer":"dense(9)","inputs":["flatten"]},"#
    + #"{"name":"c.norm","layer":"batchnorm","inputs":["c"]},{"name":"c.act","layer":"relu","inputs":["c.norm"]},"#
    + #"{"name":"head","layer":"dense(4)","inputs":["c.act"]}]}"#

  /// One layer of hidden channels, whose pixels a dense layer reads.
  static let shallow =
    #"{"input":[2,6,6],"nodes":[{"name":"conv","layer":"conv2d(5,kernel=3,padding=1)","inputs":["input"]},"#
    + #"{"name":"act","layer":"relu","inputs":["conv"]},{"name":"flatten","layer":"flatten","inputs":["act"]},"#
    + #"{"name":"head","layer":"dense(4)","inputs":["flatten"]}]}"#

  /// Members with the statistics of the data, and samples.
  struct Problem {
    let graph: Graph
    let members: [Network]
    let inputs: [Float]
    let labels: [Int]
    let rows: Int

    init(_ text: String, members count: Int = 3, rows: Int = 300) throws {
      let graph = try #require(Graph(text))
      let inputs = normals(rows * graph.inputs, seed: 7, "images")
      members = (0..<count).map {
        withStatistics(randomNetwork(graph, seed: $0, scale: 2), inputs, rows)
      }
      let own = logits(members[0], inputs, rows: rows)
      let classes = graph.outputs
      labels = (0..<rows).map { row in
        (0..<classes).max { own[row * classes + $0] < own[row * classes + $1] } ?? 0
      }
      (self.graph, self.inputs, self.rows) = (graph, inputs, rows)
    }

    func resources(_ team: any Team = ThreadTeam()) -> MergeResources {
      let batches = RandomBatches(labelledBy: members[0], count: rows, seed: 7, batchSize: 50)
      return MergeResources(
        team: team, batches: batches,
        taughtBatches: { [classes = graph.outputs] _ in UniformlyTaught(batches, classes: classes)
        },
        samples: SamplesInMemory(inputs, labels: labels, features: graph.inputs),
        validate: { Double($0.parameters[0]) })
    }

    func merge(_ chain: String, _ members: [Network]? = nil, _ team: any Team = ThreadTeam())
      throws -> MergeState
    {
      var runner = try ChainRunner(members ?? self.members)
      return try runner.run(
        try MethodChain(parsing: chain), in: LocalSurroundings(resources(team))
      ).state
    }

    /// The largest difference of two networks' logits on the samples, over the largest logit.
    func difference(_ a: Network, _ b: Network) -> Float {
      let (a, b) = (logits(a, inputs, rows: rows), logits(b, inputs, rows: rows))
      return largestDifference(a, b) / a.reduce(0) { max($0, abs($1)) }
    }
  }

  // MARK: - Folding

  @Test(arguments: [normalized, "resnet8:1x8x8-4", "resnet8x2:3x8x8-5"])
  func `a folded network computes the same, and so does one with normalisations again`(
    text: String
  ) throws {
    let problem = try Problem(text, members: 1)
    let member = problem.members[0]
    let folding = try #require(try FoldedGraph(problem.graph))
    #expect(!folding.graph.nodes.contains { $0.layer is BatchNorm })
    #expect(folding.graph.bufferCount == 0)
    #expect(
      folding.graph.symmetry.groups.map(\.count) == problem.graph.symmetry.groups.map(\.count))
    let folded = folding.folded(member)
    #expect(problem.difference(member, folded) < 1e-4)
    let plain = try folding.unfolded(folded)
    #expect(problem.difference(member, plain) < 1e-4)
    #expect(plain.graph == problem.graph)

    let moments = try #require(problem.resources().sums).moments(
      of: [folded], at: folding.foldedNodes)[0]
    let unfolded = try folding.unfolded(
      folded, moments: moments.map { ($0.means, $0.deviations.map { $0 * $0 }) })
    #expect(problem.difference(member, unfolded) < 1e-4)
    // Its statistics are the data's: in training mode, of all data at once, it computes the same.
    #expect(trainingDifference(unfolded, problem) < 1e-3)
  }

  @Test func `what no layer gives a normalisation alone cannot be folded`() throws {
    let text =
      #"{"input":[2,6,6],"nodes":[{"name":"conv","layer":"conv2d(5,kernel=3)","inputs":["input"]},"#
      + #"{"name":"act","layer":"relu","inputs":["conv"]},{"name":"norm","layer":"batchnorm","inputs":["act"]},"#
      + #"{"name":"flatten","layer":"flatten","inputs":["norm"]},{"name":"head","layer":"dense(4)","inputs":["flatten"]}]}"#
    let graph = try #require(Graph(text))
    let error = #expect(throws: GraphError.self) { try FoldedGraph(graph) }
    #expect(error?.node == "norm")
    #expect(MergeMethod.repair.problem(for: graph)?.contains("norm") == true)
    #expect(MergeMethod.reset.problem(for: graph) == nil)
    #expect(MergeMethod.weightMatching.problem(for: graph) == nil)
  }

  // MARK: - Statistics

  @Test(arguments: ["resnet8:1x8x8-4", normalized])
  func `statistics that were reset are those of the data`(text: String) throws {
    let problem = try Problem(text)
    let naive = try problem.merge("naive").network
    let merged = try problem.merge("naive,reset").network
    #expect(merged.parameters == naive.parameters)
    #expect(trainingDifference(naive, problem) > 0.05)
    // The variances differ by one sample of many.
    #expect(trainingDifference(merged, problem) < 0.02)
  }

  @Test func `statistics of networks without normalisation are not reset`() throws {
    let problem = try Problem("cnn:2x8x8-4")
    let error = #expect(throws: MergeError.self) { try problem.merge("naive,reset") }
    #expect(error?.description.contains("no batch normalisation") == true)
  }

  @Test(arguments: graphs)
  func `repaired channels have the members' mean activity and spread`(text: String) throws {
    let problem = try Problem(text)
    let merge = try problem.merge("weight-matching,repair")
    let (network, members): (Network, [Network])
    if let folding = try FoldedGraph(problem.graph) {
      (network, members) = (
        folding.folded(merge.network), merge.alignedMembers.map(folding.folded)
      )
    } else {
      (network, members) = (merge.network, merge.alignedMembers)
    }
    let sums = try #require(problem.resources().sums)
    for node in network.graph.correctableNodes {
      let own = try sums.moments(of: [network], at: node)[0]
      let goal = UnitMoments.average(try sums.moments(of: members, at: node))
      let size = goal.deviations.max() ?? 0
      #expect(size > 0.01)
      for unit in own.means.indices where own.deviations[unit] > 1e-3 * size {
        #expect(abs(own.means[unit] - goal.means[unit]) < 1e-3 * size)
        #expect(abs(own.deviations[unit] - goal.deviations[unit]) < 1e-3 * size)
      }
    }
  }

  // MARK: - Matching and fitting

  @Test(
    arguments: graphs,
    [
      "activation-matching", "weight-activation-matching",
      "activation-matching,straight-through(epochs=1)",
    ])
  func `a network and its permuted copy are lined up by their activations`(
    text: String, chain: String
  ) throws {
    let problem = try Problem(text)
    let member = problem.members[1]
    let draw = InvarianceCheck(problem.graph, seed: 3).draws[0]
    let merged = try problem.merge(chain, [member, member.permuted(by: draw)])
    #expect(problem.difference(member, merged.network) < 1e-3)
    #expect(problem.difference(member, merged.alignedMembers[1]) < 1e-4)
  }

  @Test(
    arguments: graphs + [shallow],
    [
      "least-squares", "neuron-selection", "refit-head", "unit-weights(epochs=0)", "repair",
      "rescale",
      "neuron-selection(selection=sketch)", "neuron-selection(selection=products)",
      "unit-weights-both(epochs=0)", "permavg(epochs=0),harden", "permavg-labels(epochs=0),harden",
    ])
  func `what is fitted to equal members computes what they do`(text: String, chain: String) throws {
    let problem = try Problem(text)
    let member = problem.members[0]
    let merged = try problem.merge(chain, [member, member]).network
    #expect(merged.graph == problem.graph)
    // Fits shrink a little; units that no sample moves are lost.
    let isFit = chain.hasPrefix("least") || chain.hasPrefix("neuron") || chain.hasPrefix("refit")
    #expect(problem.difference(member, merged) < (isFit ? 0.05 : 1e-3), "\(chain)")
  }

  @Test(arguments: ["labels", "logits", "logistic"])
  func `all units of one layer of channels are the ensemble by logits`(head: String) throws {
    let problem = try Problem(Self.shallow)
    let merged = try problem.merge("neuron-selection(width=3,head=\(head))").network
    #expect(merged.graph.symmetry.groups.map(\.count) == [15])
    guard head == "logits" else { return #expect(merged.isFinite) }
    let mean = mean(of: problem.members.map { logits($0, problem.inputs, rows: problem.rows) })
    let own = logits(merged, problem.inputs, rows: problem.rows)
    #expect(largestDifference(own, mean) < 1e-5 * mean.reduce(0) { max($0, abs($1)) } * 10)
  }

  @Test(arguments: graphs, ["neuron-selection(width=2)", "neuron-selection(width=0.5)"])
  func `networks of other widths are made and run`(text: String, chain: String) throws {
    let problem = try Problem(text)
    let merged = try problem.merge(chain).network
    let factor = chain.contains("0.5") ? 0.5 : 2
    #expect(
      merged.graph.symmetry.groups.map(\.count)
        == problem.graph.symmetry.groups.map { Int((factor * Double($0.count)).rounded()) })
    #expect(merged.isFinite)
    let own = logits(merged, problem.inputs, rows: problem.rows)
    let mean = mean(of: problem.members.map { logits($0, problem.inputs, rows: problem.rows) })
    // Nearer to the ensemble than nothing at all, and with twice the units near.
    let (error, size) = (squares(zip(own, mean).map { $0 - $1 }), squares(mean))
    #expect(error < (factor == 2 ? 0.6 : 1) * size, "\(error / size)")
  }

  @Test(arguments: graphs)
  func `least squares of all layers is nearer to the ensemble than the mean`(text: String) throws {
    let problem = try Problem(text)
    let mean = mean(of: problem.members.map { logits($0, problem.inputs, rows: problem.rows) })
    func error(_ chain: String) throws -> Float {
      let own = logits(try problem.merge(chain).network, problem.inputs, rows: problem.rows)
      return squares(zip(own, mean).map { $0 - $1 }) / squares(mean)
    }
    let (naive, fitted) = (
      try error("activation-matching"), try error("activation-matching,least-squares")
    )
    #expect(fitted < 0.8 * naive, "\(fitted) after \(naive)")
  }

  @Test func `matrices do not mix channels of groups`() throws {
    let text =
      #"{"input":[4,6,6],"nodes":[{"name":"a","layer":"conv2d(8,kernel=3)","inputs":["input"]},"#
      + #"{"name":"b","layer":"conv2d(8,kernel=3,groups=2)","inputs":["a"]},"#
      + #"{"name":"flatten","layer":"flatten","inputs":["b"]},{"name":"head","layer":"dense(4)","inputs":["flatten"]}]}"#
    let graph = try #require(Graph(text))
    let problem = try #require(MergeMethod.permavg.problem(for: graph))
    #expect(problem.contains("convolutions of groups of channels"))
    #expect(MergeMethod.unitWeights.problem(for: graph) == nil)
    #expect(MergeMethod.permavg.problem(for: try #require(Graph("resnet8"))) == nil)
  }

  @Test(arguments: graphs, ["unit-weights(epochs=6)", "permavg-labels(epochs=6)"])
  func `means that are learned lower the loss`(text: String, method: String) throws {
    let problem = try Problem(text)
    let merge = try problem.merge("weight-matching,\(method)")
    #expect((merge.softPermutations != nil) == method.hasPrefix("permavg"))
    let losses = merge.curves[0].epochs.map(\.loss)
    #expect(losses.count == 6)
    #expect(losses[5] < 0.95 * losses[0])
    #expect(merge.network.graph == problem.graph)
    #expect(merge.network.isFinite)
  }

  @Test(arguments: [
    "activation-matching", "weight-activation-matching,repair", "naive,reset", "least-squares",
    "neuron-selection", "neuron-selection(width=2,selection=sketch)", "unit-weights(epochs=1)",
  ])
  func `any number of workers and threads come to the same bytes`(chain: String) throws {
    for text in ["cnn:2x8x8-4", "resnet8:1x8x8-4"]
    where chain != "naive,reset" || text != "cnn:2x8x8-4" {
      let problem = try Problem(text)
      let expected = try problem.merge(chain)
      #expect(expected.network != (try MergeState(problem.members)).network)
      for (size, threads) in [(1, 3), (2, 1), (3, 2), (5, 1)] {
        let states = onWorkers(size, threads: threads) { worker in
          var runner = try ChainRunner(problem.members)
          let surroundings = WorkerSurroundings(worker: worker) { problem.resources($0) }
          return try runner.run(try MethodChain(parsing: chain), in: surroundings).state
        }
        for state in states {
          let state = try state.get()
          #expect(state.network == expected.network, "\(text), \(size) workers, \(threads) threads")
          #expect(state.alignment == expected.alignment)
        }
      }
    }
  }
}

/// How far a network's logits are from those that it gives all samples at once in training mode, over the largest.
private func trainingDifference(
  _ network: Network, _ problem: ConvolutionalMergeTests.Problem
) -> Float {
  let own = logits(network, problem.inputs, rows: problem.rows)
  var training = network
  var workspace = Workspace(network.graph, capacity: problem.rows)
  training.forwardTraining(problem.inputs, rows: problem.rows, workspace: &workspace)
  return largestDifference(own, workspace.logits) / own.reduce(0) { max($0, abs($1)) }
}

/// The network with the running statistics of some samples.
private func withStatistics(_ network: Network, _ inputs: [Float], _ rows: Int) -> Network {
  guard !network.buffers.isEmpty else { return network }
  var network = network
  var workspace = Workspace(network.graph, capacity: rows)
  for _ in 0..<60 { network.forwardTraining(inputs, rows: rows, workspace: &workspace) }
  return network
}

private func squares(_ values: [Float]) -> Float { values.reduce(0) { $0 + $1 * $1 } }
