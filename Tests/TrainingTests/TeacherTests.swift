import Foundation
import Networks
import Tensors
import Testing
import Training

@testable import Datasets

/// Soft targets of an ensemble.
@Suite struct TeacherTests {
  @Test(arguments: Combination.allCases, [Float(1), 3])
  func `targets are what their definition says, for both views`(
    combination: Combination, temperature: Float
  ) throws {
    let set = try SyntheticImages(trainingCount: 1050, testCount: 1).makePair().training
    let images = Images(set, normalization: .symmetric)
    let graph = try #require(Graph("784-16-10"))
    let members = (0..<3).map { number in
      var member = Network(graph, random: RandomStream(seed: 1, "member", number))
      // Sharper predictions than fresh networks give.
      for i in member.parameters.indices { member.parameters[i] *= 4 }
      return member
    }
    let teacher = Teacher(
      members: members, combination: combination, temperature: temperature)
    #expect(images.chunks.count == 2)
    let made = try (1...3).map {
      try teacher.targets(of: images, with: ThreadTeam(threads: $0), phase: "test")
    }
    #expect(made.allSatisfy { $0 == made[0] })
    #expect(made[0].classes == 10)
    let targets = made[0].values
    #expect(targets.count == 1050 * 20)

    for (view, isFlipped) in [false, true].enumerated() {
      let z = members.map { logits(of: $0, on: images, isFlipped: isFlipped) }
      for image in [0, 1, 999, 1000, 1049] {
        let rows = z.map { $0[10 * image..<10 * image + 10].map(Double.init) }
        let expected =
          switch combination {
          case .logits: softmax(mean(rows), Double(temperature))
          case .probabilities: mean(rows.map { softmax($0, Double(temperature)) })
          }
        let start = (2 * image + view) * 10
        for c in 0..<10 {
          #expect(abs(Double(targets[start + c]) - expected[c]) < 2e-6, "image \(image)")
        }
      }
    }
    for start in stride(from: 0, to: targets.count, by: 10) {
      let row = targets[start..<start + 10]
      #expect(abs(row.reduce(0, +) - 1) < 1e-5)
      #expect(row.allSatisfy { $0 > 0 })
    }
  }

  private func softmax(_ z: [Double], _ temperature: Double) -> [Double] {
    let e = z.map { exp($0 / temperature) }
    return e.map { $0 / e.reduce(0, +) }
  }

  private func mean(_ rows: [[Double]]) -> [Double] {
    (0..<10).map { c in rows.reduce(0) { $0 + $1[c] } / Double(rows.count) }
  }
}
