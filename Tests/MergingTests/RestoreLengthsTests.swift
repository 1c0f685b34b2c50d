import Networks
import TestSupport
import Testing

@testable import Merging

/// Hidden units' lengths after averaging.
@Suite struct RestoreLengthsTests {
  /// The Euclidean length of each hidden unit's incoming weights and bias, node by node.
  private func lengths(_ network: Network) -> [Double] {
    network.graph.linearNodes.filter { network.graph.symmetry.groupOfNode[$0] != nil }.flatMap {
      node in
      let tensors = network.graph.tensors(of: node)
      return (0..<tensors[0].shape[0]).map { unit in
        tensors.flatMap { network.parameters[$0.range(ofRows: unit..<unit + 1)] }
          .reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      }
    }
  }

  @Test(arguments: ["9-12-5", "6-9-8-4", "residual:6-8x2-4"], [0.0, 0.5, 1])
  func `each hidden unit goes its share of the way to the members' mean length`(
    text: String, power: Double
  ) throws {
    let members = try (0..<5).map { randomNetwork(try #require(Graph(text)), seed: $0) }
    let before = try WeightMatching().merge(members)
    var after = before
    try RestoreLengths(power: Float(power)).apply(to: &after, with: MergeResources())
    let goals = before.alignedMembers.map(lengths)
    let (own, new) = (lengths(before.network), lengths(after.network))
    for unit in own.indices {
      let goal = goals.reduce(0) { $0 + $1[unit] } / Double(goals.count)
      // Logarithms, in which the way is straight.
      let wanted = (own[unit] / goal) * own[unit].distancePower(goal, power)
      #expect(abs(new[unit] / goal - wanted) < 1e-5 * max(1, wanted))
    }
    // The output layer stays.
    let head = try #require(before.graph.tensors.last)
    #expect(after.network.parameters[head.range] == before.network.parameters[head.range])
    #expect(after.alignment == before.alignment)
  }

  @Test func `equal members keep their lengths, and dead units stay dead`() throws {
    var member = randomNetwork(try #require(Graph("5-4-3")), seed: 1)
    for place in 0..<5 { member.parameters[place] = 0 }
    member.parameters[20] = 0
    let merged = try RestoreLengths().merge(Array(repeating: member, count: 3))
    #expect(largestDifference(merged.network.parameters, member.parameters) < 1e-6)
  }
}

extension Double {
  /// (goal / self) to a power.
  fileprivate func distancePower(_ goal: Double, _ power: Double) -> Double {
    power == 0 ? 1 : power == 1 ? goal / self : (goal / self).squareRoot()
  }
}
