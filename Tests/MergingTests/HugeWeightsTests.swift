import Networks
import TestSupport
import Testing

@testable import Merging

/// Finite weights far from one: an answer, or an error that says that the weights are huge, and never a trap.
@Suite struct HugeWeightsTests {
  /// Factors of weights, the largest of which is about 1; 3e38 is just below the largest float.
  static let scales: [Float] = [1e19, 3e38, 1e-20, 1e-38, .leastNonzeroMagnitude]

  static let graphs = ["20-24-5", "20-24-20-16-5", "residual:20-24x2-5"]

  @Test(arguments: ["weight-matching", "mergemany", "c2m3"], [Float(1e19), 3e38, 1e-20, 1e-30])
  func `permuted copies are brought back whatever the size of weights`(
    method: String, scale: Float
  ) throws {
    for text in Self.graphs {
      for seed in 0..<3 {
        let copies = try Copies(text, count: 3, seed: seed)
        let members = copies.members.map { scaled($0, by: scale) }
        let merge = try run(method, members)
        for aligned in merge.alignedMembers {
          #expect(aligned == merge.alignedMembers[0], "\(text), seed \(seed)")
        }
        // From any member's order to any other's, the way that the copies were made.
        for (found, planted) in zip(merge.alignment.permutations, copies.permutations) {
          for group in planted.indices {
            let there = merge.alignment[0][group].inverse.after(found[group])
            #expect(there == copies.permutations[0][group].after(planted[group].inverse))
          }
        }
        if scale < 1e38 { #expect(merge.network.isFinite) }
      }
    }
  }

  static let methods = [
    "activation-matching", "weight-activation-matching", "straight-through(epochs=1)",
    "neuron-selection", "least-squares", "refit-head", "repair", "rescale",
  ]

  @Test(arguments: methods, scales)
  func `methods that look at data give a finite network or say that weights are huge`(
    method: String, scale: Float
  ) throws {
    for text in Self.graphs + [TestGraphs.mixed] where TestGraphs.suits(method, text) {
      let problem = try MethodInvarianceTests.Problem(text)
      let member = problem.members
      let kinds = [
        member.map { scaled($0, by: scale) },
        [member[0], scaled(member[1], by: scale), member[2]],
        [scaled(member[0], by: scale), member[1], member[2]],
        (0..<3).map { extreme(problem.graph, scale: scale, seed: $0) },
      ]
      for (kind, members) in kinds.enumerated() {
        do {
          let merge = try problem.merge(method, members)
          let comment: Comment = "\(text), kind \(kind)"
          if method.contains("matching") || method.hasPrefix("straight") || method == "refit-head" {
            // Lined up, or all but the head left; the mean of such members may be infinite before.
            let isMeanFinite = try MergeState(members).network.isFinite
            #expect(merge.network.isFinite || !isMeanFinite, comment)
          } else {
            #expect(merge.network.isFinite, comment)
          }
        } catch let error as MergeError {
          #expect(error.isAboutWeights, "\(text), kind \(kind): \(error)")
          #expect(scale > 1, "\(text), kind \(kind): \(error)")
        }
      }
    }
  }

  /// What learns may also say that its loss is no number.
  @Test(arguments: scales)
  func `no method at all traps`(scale: Float) throws {
    for text in ["6-9-4", TestGraphs.residual[0], TestGraphs.paired] {
      let problem = try MethodInvarianceTests.Problem(text)
      let members = (0..<3).map { extreme(problem.graph, scale: scale, seed: $0) }
      for method in MethodCatalog.standard.methods {
        do {
          _ = try problem.merge(method.name, members)
        } catch is MergeError {}
      }
    }
  }

  private func scaled(_ network: Network, by factor: Float) -> Network {
    let largest = network.parameters.reduce(Float(0)) { max($0, abs($1)) }
    // In double precision, since the product of factors may be out of a float's range on the way.
    return Network(
      network.graph,
      parameters: network.parameters.map { Float(Double($0) / Double(largest) * Double(factor)) })
  }

  /// A network in which every weight is as large as that, or nothing, and of either sign.
  private func extreme(_ graph: Graph, scale: Float, seed: Int) -> Network {
    Network(
      graph,
      parameters: normals(graph.parameterCount, seed: seed).map {
        $0 > 0.5 ? scale : $0 < -0.5 ? -scale : 0
      })
  }
}
