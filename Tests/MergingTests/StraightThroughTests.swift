import Networks
import TestSupport
import Testing

@testable import Merging

@Suite struct StraightThroughTests {
  @Test func `noisy permuted copies are lined up with the original`() throws {
    let copies = try PermutedCopies()
    let merge = try StraightThrough().merge(
      copies.members, with: MergeResources(batches: copies.batches))
    for member in merge.alignedMembers {
      #expect(largestDifference(member.parameters, copies.original.parameters) < 0.15)
    }
    #expect(merge.alignment.permutations[0].allSatisfy { $0.fixedPoints == $0.count })
  }

  /// Networks that have nothing in common but their task, so that weight matching leaves room.
  @Test func `the loss midway is not above weight matching's, and lower for some`() throws {
    let copies = try PermutedCopies()
    let graph = copies.original.graph
    var wins = 0
    for seed in 0..<3 {
      var pair = [randomNetwork(graph, seed: 20 + seed, scale: 1)]
      pair.append(randomNetwork(graph, seed: 40 + seed, scale: 1))
      let trained = try pair.map { network in
        try FineTune(
          LearningSettings(epochs: 30, learningRate: 0.1, schedule: .cosine), momentum: 0.9,
          weightDecay: 0, objective: .labels, name: "fine-tune"
        ).merge([network], with: MergeResources(batches: copies.batches)).network
      }
      let resources = MergeResources(batches: copies.batches)
      let matched = try WeightMatching().merge(trained, with: resources)
      let searched = try StraightThrough(epochs: 20, learningRate: 0.1).merge(
        trained, with: resources)
      let (a, b) = (copies.loss(of: matched.network), copies.loss(of: searched.network))
      // All of the data are the batches that it is judged by.
      #expect(b <= a + 1e-6)
      wins += b < a - 1e-3 ? 1 : 0
    }
    #expect(wins > 0)
  }

  @Test func `without data it is an error`() throws {
    let copies = try PermutedCopies()
    let error = #expect(throws: MergeError.self) {
      try StraightThrough().merge(copies.members)
    }
    #expect(
      error?.description == "straight-through needs training data, and there is none")
  }
}
