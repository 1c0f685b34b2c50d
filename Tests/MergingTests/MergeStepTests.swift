import Networks
import Synchronization
import Tensors
import TestSupport
import Testing

@testable import Merging

/// Ways to merge as a caller sees them.
@Suite struct MergeStepTests {
  @Test func `the naive average is the mean of every parameter`() throws {
    let graph = try #require(Graph("5-4-3"))
    let members = (0..<3).map { randomNetwork(graph, seed: $0) }
    let result = try NaiveAverage().merge(members, with: MergeResources())
    #expect(result.variants.map(\.suffix) == [""])
    for (i, value) in result.variants[0].network.parameters.enumerated() {
      let mean = members.reduce(0) { $0 + Double($1.parameters[i]) } / 3
      #expect(abs(Double(value) - mean) < 3e-7)
    }
    #expect(result.epochs.isEmpty && !result.isAligned)
  }

  @Test(arguments: [1, 2, 3, 4, 7])
  func `the naive average of equal members is the member`(count: Int) throws {
    let graph = try #require(Graph("5-4-3"))
    let member = randomNetwork(graph, seed: 1)
    let merged = try NaiveAverage()
      .merge(Array(repeating: member, count: count), with: MergeResources()).variants[0].network
    #expect(largestDifference(merged.parameters, member.parameters) < 5e-7)
  }

  @Test func `learning lowers the loss of merged permuted copies far below the naive average's`()
    throws
  {
    let problem = try PermutedCopies()
    let result = try PermAVG(problem.settings(epochs: 40))
      .merge(problem.members, with: MergeResources(batches: problem.batches))
    let naive = try NaiveAverage().merge(problem.members, with: MergeResources()).variants[0]
      .network
    let (first, last) = (try #require(result.epochs.first), try #require(result.epochs.last))
    #expect(result.epochs.map(\.epoch) == Array(1...40))
    #expect(last.loss < first.loss / 2)
    #expect(last.accuracy > first.accuracy)
    #expect(try #require(last.sharpness) > #require(first.sharpness))
    #expect(problem.loss(of: result.variants[0].network) < problem.loss(of: naive) / 2)
  }

  @Test func `a result holds the soft merge, the hard one, and what they were merged by`() throws {
    let problem = try PermutedCopies()
    let result = try PermAVG(problem.settings(epochs: 20))
      .merge(problem.members, with: MergeResources(batches: problem.batches))
    #expect(result.variants.map(\.suffix) == ["", "hard"])
    let soft = try #require(result.softPermutations)
    let hard = result.alignment.permutations
    #expect(soft.map(\.count) == [2, 2, 2] && hard.map(\.count) == [2, 2, 2])
    // The order of indices matters only where a permutation is not its own inverse.
    #expect(hard.joined().contains { $0 != $0.inverse })
    #expect(soft[0] == [.identity(10), .identity(8)])
    #expect(hard[0] == [.identity(10), .identity(8)])
    #expect(hard.dropFirst() == soft.dropFirst().map { $0.map(maximumAssignment) }[...])

    var average = PermutedAverage(problem.members)
    try average.merge(Array(soft.dropFirst()))
    #expect(average.network == result.variants[0].network)
    let permuted = zip(problem.members, hard).map { $0.permuted(by: $1).parameters }
    #expect(result.variants[1].network.parameters == mean(of: permuted))
  }

  @Test(arguments: [2, 3])
  func `results are equal to the bit for any number of threads`(threads: Int) throws {
    // Wider than a tile, so that the products really are cut.
    let graph = try #require(Graph("20-300-260-5"))
    let members = (0..<3).map { randomNetwork(graph, seed: $0) }
    let batches = RandomBatches(labelledBy: members[0], count: 80, seed: 1)
    let results = try [1, threads].map {
      try PermAVG(PermutedCopies.settings(epochs: 2))
        .merge(members, with: MergeResources(team: ThreadTeam(threads: $0), batches: batches))
    }
    #expect(results[0].softPermutations == results[1].softPermutations)
    #expect(results[0].variants.map(\.network) == results[1].variants.map(\.network))
    #expect(results[0].epochs == results[1].epochs)
    #expect(results[0].variants[0].network != results[0].variants[1].network)
  }

  @Test func `progress and validation are told`() throws {
    let problem = try PermutedCopies()
    let steps = Mutex([[Int]]())
    let result = try PermAVG(problem.settings(epochs: 2)).merge(
      problem.members,
      with: MergeResources(
        batches: problem.batches,
        onStep: { done, total in steps.withLock { $0.append([done, total]) } },
        validate: { problem.loss(of: $0) }))
    let total = 2 * problem.batches.batchesPerEpoch
    #expect(steps.withLock { $0 } == (1...total).map { [$0, total] })
    let last = try #require(result.epochs.last?.validationAccuracy)
    #expect(last == problem.loss(of: result.variants[0].network))
  }

  @Test func `without epochs every member but the first is mixed by the first matrices`() throws {
    let problem = try PermutedCopies()
    let result = try PermAVG(problem.settings(epochs: 0))
      .merge(problem.members, with: MergeResources(batches: problem.batches))
    #expect(result.epochs.isEmpty)
    // X = I is nearest to the identity, so the hard variant is the naive average.
    let naive = try NaiveAverage().merge(problem.members, with: MergeResources()).variants[0]
      .network
    #expect(result.variants[1].network == naive)
    #expect(result.variants[0].network != naive)
  }

  @Test func `one member is merged to itself`() throws {
    let problem = try PermutedCopies()
    let result = try PermAVG(problem.settings(epochs: 1))
      .merge([problem.original], with: MergeResources(batches: problem.batches))
    for variant in result.variants { #expect(variant.network == problem.original) }
    #expect(result.epochs.map(\.sharpness) == [1])
  }

  @Test func `networks without hidden layers are averaged`() throws {
    let graph = try #require(Graph("6-3"))
    let members = (0..<2).map { randomNetwork(graph, seed: $0) }
    let batches = RandomBatches(labelledBy: members[0], count: 40, seed: 1)
    let result = try PermAVG(PermutedCopies.settings(epochs: 1))
      .merge(members, with: MergeResources(batches: batches))
    let mean = mean(of: members.map(\.parameters))
    for variant in result.variants {
      #expect(largestDifference(variant.network.parameters, mean) < 5e-7)
    }
  }

  @Test func `members that cannot be merged are an error that says why`() throws {
    let small = randomNetwork(try #require(Graph("5-4-3")), seed: 1)
    let large = randomNetwork(try #require(Graph("5-6-3")), seed: 1)
    var broken = small
    broken.parameters[21] = .nan
    #expect(problem { try MergeState([]) } == "no members to merge")
    #expect(
      problem { try MergeState([small, small, large]) }
        == "member 2 has the architecture 5-6-3, member 0 has 5-4-3;"
        + " only members of one architecture can be merged")
    #expect(
      problem { try MergeState([small, broken]) }
        == "member 1 holds nan in layers.0.bias; leave it out or train it anew")
  }

  @Test func `learning without data is an error`() throws {
    let copies = try PermutedCopies()
    let text = problem {
      try PermAVG(copies.settings(epochs: 1)).merge(copies.members, with: MergeResources())
    }
    #expect(text == "permavg needs training data, and there is none")
  }

  @Test func `a loss that is no longer a number is an error that says so`() throws {
    let copies = try PermutedCopies()
    var members = copies.members
    for i in members[1].parameters.indices { members[1].parameters[i] *= 1e20 }
    let text = problem {
      try PermAVG(copies.settings(epochs: 1))
        .merge(members, with: MergeResources(batches: copies.batches))
    }
    #expect(text.hasPrefix("permavg: the loss became infinite or NaN in epoch 1"))
    #expect(text.hasSuffix("try a smaller one, permavg(learning-rate=0.01)"))
  }

  @Test func `settings are the same after a chain's text`() throws {
    let text =
      "permavg-both(epochs=7,learning-rate=0.2,schedule=constant,temperature=0.5,iterations=9,"
      + "aligned-share=0.75,unit-rate=0.03,final-temperature=0.25,dirichlet=2)"
    let chain = try MethodChain(parsing: text)
    let again = try MethodChain(parsing: chain.description)
    let expected = PermAVGSettings(
      epochs: 7, learningRate: 0.2, schedule: .constant,
      sinkhorn: SinkhornSettings(temperature: 0.5, epsilon: 1e-3, iterations: 9, tolerance: 1e-4),
      alignedShare: 0.75, unitLearningRate: 0.03, finalTemperature: 0.25, dirichlet: 2)
    for link in [chain.links[0], again.links[0]] {
      let step = try #require(link.method.step(link.values) as? PermAVG)
      #expect(step.settings == expected && step.name == "permavg-both")
      #expect(step.objective == .both)
    }
  }

  /// What the error says that a closure throws.
  private func problem(_ body: () throws -> MergeState) -> String {
    let error = #expect(throws: MergeError.self) { try body() }
    return error?.description ?? ""
  }
}

/// A network and two permuted copies of it with a little noise; data labelled by the network.
struct PermutedCopies {
  let original: Network
  let members: [Network]
  let batches: RandomBatches

  init() throws {
    let graph = try #require(Graph("12-10-8-4"))
    let original = randomNetwork(graph, seed: 1)
    self.original = original
    members =
      [original]
      + (1..<3).map { member in
        let permutations = graph.symmetry.groups.map(\.count).enumerated().map { layer, width in
          var random = RandomStream(seed: 2, "permutation", member, layer)
          return Permutation(random.permutation(of: width))
        }
        return noisy(original.permuted(by: permutations), seed: member, size: 0.02)
      }
    batches = RandomBatches(labelledBy: original, count: 300, seed: 3)
  }

  func settings(epochs: Int) -> PermAVGSettings { Self.settings(epochs: epochs) }

  static func settings(epochs: Int) -> PermAVGSettings {
    PermAVGSettings(
      epochs: epochs, learningRate: 0.1, schedule: .constant,
      sinkhorn: SinkhornSettings(
        temperature: 1, epsilon: 1e-3, iterations: 100, tolerance: 1e-5))
  }

  /// The mean cross entropy of a network on the data.
  func loss(of network: Network) -> Double {
    let batch = batches.whole
    var workspace = Workspace(network.graph, capacity: batch.count)
    network.forward(batch.inputs, rows: batch.count, workspace: &workspace)
    return CrossEntropy().evaluate(batch, workspace: &workspace).loss
  }
}
