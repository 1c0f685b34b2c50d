import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

/// Coordinate ascent, also where one group numbers both axes of a tensor and its objective is quadratic.
@Suite struct WeightMatcherTests {
  /// What is ascended: scale · ⟨θ_A, π(θ_B)⟩ and what pairs are worth besides.
  private struct Problem {
    let reference: Network
    let network: Network
    let extra: [Matrix]
    let scale: Float = 0.5

    init(_ text: String, seed: Int, hasExtra: Bool) throws {
      let graph = try #require(Graph(text))
      reference = randomNetwork(graph, seed: 2 * seed)
      network = randomNetwork(graph, seed: 2 * seed + 1)
      extra =
        hasExtra
        ? graph.symmetry.groups.map {
          Matrix(
            rows: $0.count, columns: $0.count,
            elements: normals($0.count * $0.count, seed: seed, "extra \($0.index)"))
        } : []
    }

    func match(sweeps: Int) throws -> [Permutation] {
      var random = RandomStream(seed: 1, "order")
      var prices = reference.graph.symmetry.groups.map { _ in [Double]() }
      return try WeightMatcher(reference.graph).match(
        network, to: reference, scale: scale, adding: extra, random: &random, prices: &prices,
        sweeps: sweeps)
    }

    func objective(_ permutations: [Permutation]) -> Double {
      var sum =
        Double(scale) * dot(reference.parameters, network.permuted(by: permutations).parameters)
      for (matrix, permutation) in zip(extra, permutations) { sum += total(matrix, permutation) }
      return sum
    }

    var identity: [Permutation] { reference.graph.symmetry.identity }

    /// The objective's derivative by a group's permutation where the network is permuted by some, for what
    /// permutes it further.
    func linearPart(_ group: Symmetry.Group, at permutations: [Permutation]) -> Matrix {
      let placed = network.permuted(by: permutations)
      var result = Matrix(rows: group.count, columns: group.count)
      if !extra.isEmpty {
        for i in 0..<group.count {
          for j in 0..<group.count {
            result[i, j] = extra[group.index][i, permutations[group.index].indices[j]]
          }
        }
      }
      for place in group.places {
        reference.withUnits(of: place) { a in
          placed.withUnits(of: place) { b in
            result.withMutableView { multiply(a, b.transposed, into: $0, scale: scale, keep: 1) }
          }
        }
      }
      return result
    }
  }

  /// Of a graph with one group a sweep is a visit, of others one visit to each group.
  @Test(arguments: [TestGraphs.paired, TestGraphs.mixed, TestGraphs.residual[0]], [false, true])
  func `the objective never falls, and ends no lower than it started`(
    text: String, hasExtra: Bool
  ) throws {
    var rises = 0
    for seed in 0..<60 {
      let problem = try Problem(text, seed: seed, hasExtra: hasExtra)
      let size = dot(problem.reference.parameters, problem.reference.parameters)
      var last = problem.objective(problem.identity)
      let start = last
      var permutations = problem.identity
      for sweeps in 1...12 {
        permutations = try problem.match(sweeps: sweeps)
        let next = problem.objective(permutations)
        #expect(next >= last - 1e-9 * size, "seed \(seed), sweep \(sweeps)")
        last = next
      }
      #expect(try problem.match(sweeps: 100) == problem.match(sweeps: 99), "seed \(seed)")
      let found = try problem.match(sweeps: 100)
      let end = problem.objective(found)
      #expect(end >= last - 1e-9 * size && end >= start, "seed \(seed)")
      rises += end > start + 1e-3 * abs(start) ? 1 : 0
      // It ends where no group's best assignment is better still.
      for group in problem.reference.graph.symmetry.groups {
        var further = found
        further[group.index] = maximumAssignment(problem.linearPart(group, at: found))
          .after(found[group.index])
        #expect(
          problem.objective(further) <= end + 1e-6 * size, "seed \(seed), group \(group.index)")
      }
    }
    #expect(rises > 50)
  }

  @Test func `where a group is on both axes, the assignment of the linear part may be worse`()
    throws
  {
    var falls = 0
    for seed in 0..<60 {
      let problem = try Problem(TestGraphs.paired, seed: seed, hasExtra: false)
      // Of the linear part at the identity, taken whether or not it is better.
      let linear = problem.linearPart(
        problem.reference.graph.symmetry.groups[0], at: problem.identity)
      let assignment = maximumAssignment(linear)
      let taken = try problem.match(sweeps: 1)[0]
      if problem.objective([assignment]) < problem.objective(problem.identity) - 1e-3 {
        falls += 1
        #expect(taken == .identity(9), "seed \(seed)")
      } else {
        #expect(taken == assignment || taken == .identity(9), "seed \(seed)")
      }
    }
    // So the matcher's look at the objective itself is needed.
    #expect(falls > 0)
  }

  /// Exact copies are the best there is, and the identity is one of them.
  @Test(arguments: TestGraphs.all)
  func `a network that is its own reference stays as it is`(text: String) throws {
    let network = randomNetwork(try #require(Graph(text)), seed: 5)
    var random = RandomStream(seed: 1, "order")
    let found = try WeightMatcher(network.graph).match(network, to: network, random: &random)
    #expect(!found.movesUnits)
  }

  @Test(arguments: ["weight-matching", "mergemany", "c2m3"], TestGraphs.all)
  func `matching brings members nearer, and never farther`(method: String, text: String) throws {
    for seed in 0..<20 {
      let graph = try #require(Graph(text))
      let members = (0..<2 + seed % 3).map { randomNetwork(graph, seed: 10 * seed + $0) }
      let (before, merge) = (matchingObjective(members), try run(method, members))
      let size = members.reduce(0) { $0 + dot($1.parameters, $1.parameters) }
      let after = matchingObjective(merge.alignedMembers)
      if method == "weight-matching", members.count > 2 {
        // Each is matched to the first alone.
        for (member, aligned) in zip(members, merge.alignedMembers) {
          #expect(
            dot(members[0].parameters, aligned.parameters)
              >= dot(members[0].parameters, member.parameters) - 1e-6 * size)
        }
      } else {
        #expect(after >= before - 1e-6 * size, "seed \(seed)")
      }
    }
  }
}
