import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

/// Choosing among members.
@Suite struct SoupTests {
  @Test(arguments: 0..<6)
  func `a greedy soup is never worse than the best member on held-out data`(seed: Int) throws {
    let problem = try Problem(seed: seed)
    for chain in ["greedy-soup", "mergemany,greedy-soup", "c2m3,greedy-soup"] {
      let soup = try run(chain, problem.members, resources: problem.held).network
      let best = problem.members.map(problem.accuracy).max() ?? 0
      #expect(problem.accuracy(soup) >= best)
    }
  }

  @Test func `a soup of noisy copies that are lined up holds several and beats each`() throws {
    let problem = try Problem(seed: 3)
    let merge = try run("mergemany,greedy-soup", problem.members, resources: problem.held)
    #expect(!merge.alignedMembers.contains(merge.network))
    let best = problem.members.map(problem.accuracy).max() ?? 0
    #expect(problem.accuracy(merge.network) > best)
  }

  @Test func `a soup leaves out the member that would spoil it`() throws {
    let problem = try Problem(seed: 1)
    let stranger = randomNetwork(problem.original.graph, seed: 99)
    let members = [stranger] + problem.members
    let soup = try run("mergemany,greedy-soup", members, resources: problem.held)
    let all = try run("mergemany", members)
    #expect(problem.accuracy(soup.network) > problem.accuracy(all.network))
    // It stays lined up by what came before.
    #expect(soup.alignment.permutations == all.alignment.permutations)
  }

  @Test func `of members with equal accuracy all that do no harm are taken, in any order the same`()
    throws
  {
    let graph = try #require(Graph("5-4-3"))
    let members = (0..<4).map { randomNetwork(graph, seed: $0) }
    var resources = MergeResources(validate: { _ in 0.5 })
    let soup = try run("greedy-soup", members, resources: resources).network
    #expect(soup.parameters == mean(of: members.map(\.parameters)))
    // Each is better than the mean of any: the best alone is left.
    resources.validate = { network in Double(members.firstIndex(of: network) ?? -1) }
    #expect(try run("greedy-soup", members, resources: resources).network == members[3])
  }

  @Test func `a greedy soup without held-out images is an error`() throws {
    let problem = try Problem(seed: 0)
    let error = #expect(throws: MergeError.self) { try run("greedy-soup", problem.members) }
    #expect(
      error?.description
        == "greedy-soup chooses on held-out images, and there are none; train with --validation")
  }

  @Test func `the best member is that of the highest held-out accuracy, the first of equals`()
    throws
  {
    let problem = try Problem(seed: 2)
    let accuracies = problem.members.map(problem.accuracy)
    let best = try #require(accuracies.firstIndex(of: accuracies.max() ?? 0))
    let merge = try run("best-member", problem.members, resources: problem.held)
    #expect(merge.network == problem.members[best])
    let equal = MergeResources(validate: { _ in 1 })
    #expect(try run("best-member", problem.members, resources: equal).network == problem.members[0])
    // As it is lined up.
    let aligned = try run("mergemany,best-member", problem.members, resources: problem.held)
    #expect(aligned.network == aligned.alignedMembers[best])
  }

  @Test(arguments: [1, 3])
  func `without held-out images the best member is that of the lowest training loss`(threads: Int)
    throws
  {
    let problem = try Problem(seed: 4)
    let resources = MergeResources(batches: problem.batches)
    let merge = try run("best-member", problem.members, resources: resources, threads: threads)
    let losses = problem.members.map(problem.loss)
    let best = try #require(losses.firstIndex(of: losses.min() ?? 0))
    #expect(merge.network == problem.members[best])
    #expect(best > 0)
  }

  @Test func `the best member without images of any kind is an error`() throws {
    let problem = try Problem(seed: 0)
    let error = #expect(throws: MergeError.self) { try run("best-member", problem.members) }
    #expect(
      error?.description
        == "best-member needs held-out images or training data, and there is neither")
  }

  /// Noisy copies of a network in other orders, and data that it labelled.
  private struct Problem {
    let original: Network
    let members: [Network]
    let batches: RandomBatches

    init(seed: Int) throws {
      let copies = try Copies("12-30-4", count: 5, seed: seed, noise: 0.25)
      (original, members) = (copies.original, copies.members)
      batches = RandomBatches(labelledBy: original, count: 800, seed: seed)
    }

    var held: MergeResources { MergeResources(batches: batches, validate: accuracy) }

    @Sendable func accuracy(_ network: Network) -> Double {
      let (batch, workspace) = run(network)
      var copy = workspace
      return Double(CrossEntropy().evaluate(batch, workspace: &copy).correct) / Double(batch.count)
    }

    func loss(_ network: Network) -> Double {
      let (batch, workspace) = run(network)
      var copy = workspace
      return CrossEntropy().evaluate(batch, workspace: &copy).loss
    }

    private func run(_ network: Network) -> (Batch, Workspace) {
      let batch = batches.whole
      var workspace = Workspace(network.graph, capacity: batch.count)
      network.forward(batch.inputs, rows: batch.count, workspace: &workspace)
      return (batch, workspace)
    }
  }
}
