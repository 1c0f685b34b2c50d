import Foundation
import Networks
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
    let architecture = try #require(Architecture("784-16-10"))
    let members = (0..<3).map { number in
      var member = Network(architecture, random: RandomStream(seed: 1, "member", number))
      // Sharper predictions than fresh networks give.
      for i in member.parameters.indices { member.parameters[i] *= 4 }
      return member
    }
    let teacher = Teacher(
      members: members, normalization: .symmetric, combination: combination,
      temperature: temperature)
    #expect(Teacher.chunkCount(set) == 2)
    let chunks = (0..<2).map { teacher.targets(forChunk: $0, of: set) }
    #expect(chunks.map(\.count) == [1000 * 20, 50 * 20])
    let targets = Array(chunks.joined())

    for (view, isFlipped) in [false, true].enumerated() {
      let z = members.map {
        logits(of: $0, on: set, normalization: .symmetric, isFlipped: isFlipped)
      }
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
