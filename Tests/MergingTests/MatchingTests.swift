import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

/// Methods that match units: by pairs, in turn, and all at once.
@Suite struct MatchingTests {
  static let methods = ["weight-matching", "mergemany", "c2m3"]
  static let graphs = ["20-24-5", "20-24-20-16-5", "residual:20-24x2-5", "residual:12-16x4-6"]

  @Test(arguments: methods, graphs)
  func `matching permuted copies recovers the permutations exactly`(
    method: String, text: String
  ) throws {
    for count in 2...5 {
      for seed in 0..<3 {
        let copies = try Copies(text, count: count, seed: seed)
        let merge = try run(method, copies.members)
        // Every member comes to the same network, not to one that is only similar.
        let aligned = merge.alignedMembers
        for member in aligned { #expect(member == aligned[0], "\(count) members, seed \(seed)") }
        // From member m to the order of member 0, and from there to the original's.
        for (found, planted) in zip(merge.alignment.permutations, copies.permutations) {
          for layer in planted.indices {
            let back = copies.permutations[0][layer].inverse
              .after(merge.alignment.permutations[0][layer].inverse.after(found[layer]))
            #expect(back == planted[layer].inverse, "\(count) members, seed \(seed)")
          }
        }
      }
    }
  }

  @Test(arguments: methods, graphs)
  func `merging permuted copies gives back the network`(method: String, text: String)
    throws
  {
    let copies = try Copies(text, count: 3, seed: 4)
    let merged = try run(method, copies.members).network
    let inputs = normals(30 * copies.original.graph.inputs, seed: 4)
    let (own, other) = (
      logits(copies.original, inputs, rows: 30), logits(merged, inputs, rows: 30)
    )
    #expect(largestDifference(own, other) < 1e-4)
    // Unmatched, the same copies make another function.
    let naive = try run("naive", copies.members).network
    #expect(largestDifference(own, logits(naive, inputs, rows: 30)) > 0.1)
  }

  @Test(arguments: methods, graphs)
  func `noisy copies are matched as well as the permutations that made them match them`(
    method: String, text: String
  ) throws {
    for count in 2...5 {
      let copies = try Copies(text, count: count, seed: count, noise: 0.05)
      let merge = try run(method, copies.members)
      let planted = zip(copies.members, copies.permutations).map {
        $0.permuted(by: $1.map(\.inverse))
      }
      let own = matchingObjective(merge.alignedMembers)
      #expect(own >= matchingObjective(planted) * (1 - 1e-6), "\(count) members")
      // Gains lie near one in all units, and say nothing of the order.
      #expect(
        matchingObjective(merge.alignedMembers.map(withoutGains))
          > 2 * matchingObjective(copies.members.map(withoutGains)))
    }
  }

  @Test(arguments: ["mergemany", "c2m3"], graphs)
  func `networks that have nothing in common are brought nearer, and never farther`(
    method: String, text: String
  ) throws {
    for count in [2, 3, 6] {
      let graph = try #require(Graph(text))
      let members = (0..<count).map { randomNetwork(graph, seed: 10 * count + $0) }
      let matched = try run("weight-matching", members)
      let start = matchingObjective(members)
      #expect(matchingObjective(try run(method, members).alignedMembers) > start)
      // Each starts from how the members are lined up.
      let after = try run("weight-matching,\(method)", members)
      let before = matchingObjective(matched.alignedMembers)
      #expect(matchingObjective(after.alignedMembers) >= before * (1 - 1e-6))
    }
  }

  @Test(arguments: methods, graphs)
  func `permutations are those that line the members up as the merge has them`(
    method: String, text: String
  ) throws {
    let graph = try #require(Graph(text))
    let members = (0..<4).map { randomNetwork(graph, seed: $0) }
    let merge = try run("weight-matching,\(method)", members)
    #expect(merge.isAligned)
    let aligned = zip(members, merge.alignment.permutations).map { $0.permuted(by: $1).parameters }
    #expect(merge.network.parameters == mean(of: aligned))
    #expect(merge.variants.count == 1)
  }

  @Test(arguments: methods)
  func `the answer does not depend on threads, and is the same every time`(method: String) throws {
    let graph = try #require(Graph("20-300-40-5"))
    let members = (0..<4).map { randomNetwork(graph, seed: $0) }
    let results = try [1, 2, 3, 1].map { try run(method, members, threads: $0) }
    for result in results {
      #expect(result.alignment == results[0].alignment)
      #expect(result.network == results[0].network)
    }
  }

  @Test(arguments: methods)
  func `one member, and networks without hidden layers, stay as they are`(method: String) throws {
    let alone = randomNetwork(try #require(Graph("5-4-3")), seed: 1)
    #expect(try run(method, [alone]).network == alone)
    let graph = try #require(Graph("6-3"))
    let members = (0..<3).map { randomNetwork(graph, seed: $0) }
    let merged = try run(method, members).network
    #expect(merged.parameters == mean(of: members.map(\.parameters)))
  }

  /// The network without the tensors that start as constants.
  private func withoutGains(_ network: Network) -> Network {
    var result = network
    for tensor in network.graph.tensors {
      guard case .constant = tensor.initializer else { continue }
      for place in tensor.range { result.parameters[place] = 0 }
    }
    return result
  }

  @Test func `the objective is the sum over pairs`() throws {
    let graph = try #require(Graph("5-4-3"))
    let members = (0..<4).map { randomNetwork(graph, seed: $0) }
    var pairs = 0.0
    for a in 0..<4 {
      for b in 0..<a {
        for (x, y) in zip(members[a].parameters, members[b].parameters) {
          pairs += Double(x) * Double(y)
        }
      }
    }
    #expect(abs(matchingObjective(members) - pairs) < 1e-5 * abs(pairs))
  }
}

extension MergeState {
  /// The epochs of all steps that learned.
  var epochs: [EpochRecord] { curves.flatMap(\.epochs) }
}

/// The merge that a chain of methods makes.
func run(
  _ chain: String, _ members: [Network], resources: MergeResources = MergeResources(),
  threads: Int = 1
) throws -> MergeState {
  var resources = resources
  resources.team = ThreadTeam(threads: threads)
  var runner = try ChainRunner(members)
  let chain = try MethodChain(parsing: chain).settingDefault("restarts", to: "2")
  return try runner.run(chain, in: LocalSurroundings(resources)).state
}

/// A network, and copies of it whose units are reordered.
struct Copies {
  let original: Network
  /// Those that made the copies of the original.
  let permutations: [[Permutation]]
  let members: [Network]

  init(_ text: String, count: Int, seed: Int, noise: Float = 0) throws {
    let graph = try #require(Graph(text))
    let original = randomNetwork(graph, seed: seed)
    permutations = (0..<count).map { member in
      graph.symmetry.groups.map(\.count).enumerated().map { layer, width in
        var random = RandomStream(seed: UInt64(seed), "copy", member, layer)
        return Permutation(random.permutation(of: width))
      }
    }
    members = permutations.enumerated().map { member, permutations in
      noisy(original, seed: 100 * seed + member, size: noise).permuted(by: permutations)
    }
    self.original = original
  }
}
