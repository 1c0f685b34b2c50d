import Testing

@testable import Datasets

/// Images made from nothing.
@Suite struct SyntheticImagesTests {
  @Test func `the synthetic images are the same every time`() throws {
    let pair = try DatasetName.synthetic.load()
    #expect((pair.training.count, pair.test.count) == (10_000, 2_000))
    #expect(hash(pair.training.pixels) == 0x65ee_2e97_0311_9d09)
    #expect(hash(pair.test.pixels) == 0x2914_e30b_4c2b_c806)
    #expect(hash(pair.training.labels + pair.test.labels) == 0xf365_adb7_f89d_9c99)
    #expect(try DatasetName.synthetic.load() == pair)
  }

  @Test func `classes are about equally frequent, and images are neither black nor white`() throws {
    let pair = try SyntheticImages(trainingCount: 2000, testCount: 1000).makePair()
    #expect((pair.training.count, pair.test.count) == (2000, 1000))
    for part in [pair.training, pair.test] {
      let expected = Double(part.count) / 10
      for label in UInt8(0)..<10 {
        let count = part.labels.count { $0 == label }
        // Five standard deviations of a binomial count.
        #expect(abs(Double(count) - expected) < 5 * (expected * 0.9).squareRoot())
      }
      let mean = part.pixels.reduce(0) { $0 + Int($1) } / part.pixels.count
      #expect((100...156).contains(mean))
    }
    #expect(!pair.training.pixels.starts(with: pair.test.pixels.prefix(784)))
  }

  @Test func `an image is nearer to its class than to the others`() throws {
    // Nearest class mean, without any learning: far above the tenth that chance gives.
    let pair = try SyntheticImages(trainingCount: 2000, testCount: 500).makePair()
    let features = pair.training.features
    var means = [[Double]](repeating: Array(repeating: 0, count: features), count: 10)
    for (image, label) in pair.training.labels.enumerated() {
      for i in 0..<features {
        means[Int(label)][i] += Double(pair.training.pixels[image * features + i]) / 200
      }
    }
    let correct = (0..<pair.test.count).count { image in
      let distances = means.map { mean in
        (0..<features).reduce(0) { sum, i in
          let d = mean[i] - Double(pair.test.pixels[image * features + i])
          return sum + d * d
        }
      }
      return distances.indices.min { distances[$0] < distances[$1] }
        == Int(pair.test.labels[image])
    }
    #expect(Double(correct) / Double(pair.test.count) > 0.5)
  }

  /// FNV-1a.
  private func hash(_ bytes: [UInt8]) -> UInt64 {
    bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
  }
}
