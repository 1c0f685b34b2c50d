import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

/// No method of matching or learning may leave members that compute something else.
@Suite struct MethodInvarianceTests {
  static let graphs = ["9-12-5", "6-1-3", "8-30-20-4", "6-9-1-8-7-4", "7-4"] + TestGraphs.all

  @Test(arguments: graphs)
  func `members lined up by any method compute what they did`(text: String) throws {
    let problem = try Problem(text)
    let check = InvarianceCheck(problem.graph)
    for method in MethodCatalog.standard.methods where TestGraphs.suits(method.name, text) {
      let merge = try problem.merge(method.name, problem.members)
      #expect(merge.network.isFinite)
      #expect(merge.network.graph == problem.graph)
      for (number, (member, aligned)) in zip(problem.members, merge.alignedMembers).enumerated() {
        let difference = check.difference(of: member, from: aligned)
        #expect(difference.isNegligible, "\(method.name), member \(number): \(difference)")
      }
    }
  }

  /// Methods that start from the mean of members, and where that is the best there is leave it.
  static let averaging = [
    "naive", "weight-matching", "mergemany", "activation-matching", "weight-activation-matching",
    "straight-through", "c2m3", "permavg(epochs=0),harden", "permavg-labels(epochs=0),harden",
    "permavg-ensemble(epochs=0),harden", "permavg-both(epochs=0),harden",
    "weight-matching,permavg(epochs=0),harden", "unit-weights(epochs=0)",
    "unit-weights-ensemble(epochs=0)", "unit-weights-both(epochs=0)", "greedy-soup",
    "best-member", "fine-tune(epochs=0)", "fine-tune-both(epochs=0)",
  ]

  @Test(arguments: averaging, graphs)
  func `merging equal members is the identity`(chain: String, text: String) throws {
    let problem = try Problem(text)
    // Behind one unit all units respond alike, and activations do not tell them apart.
    guard (chain, text) != ("activation-matching", "6-9-1-8-7-4") else { return }
    for count in [1, 2, 3, 5] {
      let member = problem.members[count % 2]
      let merged = try problem.merge(chain, Array(repeating: member, count: count)).network
      let size = member.parameters.reduce(0) { max($0, abs($1)) }
      #expect(
        largestDifference(merged.parameters, member.parameters) < 1e-6 * size, "\(count) members")
    }
  }

  /// Corrections, which a mean of equal members does not need.
  @Test(arguments: ["repair", "rescale"], graphs)
  func `a mean of equal members has nothing to correct`(chain: String, text: String) throws {
    let problem = try Problem(text)
    let member = problem.members[0]
    let merged = try problem.merge(chain, [member, member, member]).network
    #expect(largestDifference(merged.parameters, member.parameters) < 1e-4)
  }

  /// Fits, which reproduce the members' function but for the ridge.
  @Test(arguments: ["refit-head", "least-squares", "neuron-selection"], graphs)
  func `a fit of equal members computes what they do`(chain: String, text: String) throws {
    let problem = try Problem(text)
    guard TestGraphs.suits(chain, text) else {
      let error = #expect(throws: MergeError.self) { try problem.merge(chain, problem.members) }
      #expect(try #require(error).description.contains("end in logits, which is no dense layer"))
      return
    }
    let member = problem.members[0]
    let merged = try problem.merge(chain, [member, member]).network
    let inputs = problem.batches.inputs
    let (own, other) = (
      logits(member, inputs, rows: problem.rows), logits(merged, inputs, rows: problem.rows)
    )
    let size = own.reduce(0) { max($0, abs($1)) }
    #expect(largestDifference(own, other) < 0.02 * size)
  }

  /// Members of some graph, and all that a method may ask for.
  struct Problem {
    let graph: Graph
    let members: [Network]
    let batches: RandomBatches
    let rows = 96

    init(_ text: String) throws {
      let graph = try #require(Graph(text))
      let members = (0..<4).map {
        drawnNetwork(graph, random: RandomStream(seed: 3, "member", $0), seed: $0)
      }
      batches = RandomBatches(labelledBy: members[0], count: rows, seed: 1)
      (self.graph, self.members) = (graph, members)
    }

    /// The merge by a chain, whose methods learn for one epoch unless they say otherwise.
    func merge(
      _ chain: String, _ members: [Network], team: any Team = ThreadTeam()
    ) throws -> MergeState {
      let chain = try MethodChain(parsing: chain).settingDefault("epochs", to: "1")
      var runner = try ChainRunner(members)
      return try runner.run(chain, in: LocalSurroundings(resources(team: team))).state
    }

    func resources(team: any Team = ThreadTeam()) -> MergeResources {
      let (batches, classes) = (batches, graph.outputs)
      return MergeResources(
        team: team, batches: batches,
        taughtBatches: { _ in UniformlyTaught(batches, classes: classes) },
        samples: SamplesInMemory(
          batches.inputs, labels: batches.labels, features: batches.features),
        validate: { Double($0.parameters[0]) })
    }
  }
}

/// Batches whose targets are the same for every class.
struct UniformlyTaught: BatchSource {
  private var source: RandomBatches
  private let classes: Int

  init(_ source: RandomBatches, classes: Int) {
    self.source = source
    self.classes = classes
  }

  var batchSize: Int { source.batchSize }
  var batchesPerEpoch: Int { source.batchesPerEpoch }
  var features: Int { source.features }
  var sampleCount: Int { source.sampleCount }

  mutating func startEpoch(_ epoch: Int) { source.startEpoch(epoch) }

  func fill(_ batch: inout Batch, with index: Int, rows: Range<Int>) {
    source.fill(&batch, with: index, rows: rows)
    batch.targets = Array(repeating: 1 / Float(classes), count: batch.capacity * classes)
  }
}
