import Tensors
import Testing

/// Keyed streams of random numbers.
@Suite struct RandomStreamTests {
  /// From FNV-1a, SplitMix64 and xoshiro256** written a second time, in Python.
  @Test func `a key's numbers never change`() {
    var plain = RandomStream(seed: 0, "test")
    #expect((0..<2).map { _ in plain.next() } == [0x649e_21f6_969a_636e, 0x2df5_1bb1_116d_c58c])
    var indexed = RandomStream(seed: 7, "order", 2, 3)
    #expect(
      (0..<4).map { _ in indexed.next() } == [
        0x1db8_4f2f_702a_ad92, 0xce85_3bf5_53d9_182f, 0xd5d1_f459_8a4f_1683,
        0xaa02_8690_3ca0_de29,
      ])
    var extreme = RandomStream(seed: .max, "", -1)
    #expect(extreme.next() == 0xad5a_b2c2_429f_f3c6)
    var order = RandomStream(seed: 7, "order", 2, 3)
    #expect(order.permutation(of: 10) == [9, 5, 2, 8, 0, 3, 4, 6, 7, 1])
  }

  @Test func `other keys are other streams`() {
    var keys: [RandomStream] = []
    for seed in UInt64(0)..<4 {
      for purpose in ["order", "flip", "ordes", ""] {
        keys.append(RandomStream(seed: seed, purpose))
        for member in 0..<4 {
          keys.append(RandomStream(seed: seed, purpose, member))
          for epoch in 0..<4 { keys.append(RandomStream(seed: seed, purpose, member, epoch)) }
        }
      }
    }
    let first = keys.indices.map { keys[$0].next() }
    #expect(Set(first).count == keys.count)
  }

  @Test func `uniform numbers lie in [0, 1) with the moments of the uniform distribution`() {
    var random = RandomStream(seed: 3, "uniform")
    let numbers = (0..<100_000).map { _ in Double(random.uniform()) }
    #expect(numbers.allSatisfy { (0..<1).contains($0) })
    // Five standard errors of each moment.
    #expect(abs(moment(1, numbers) - 1 / 2.0) < 5 * 0.289 / 316)
    #expect(abs(moment(2, numbers) - 1 / 3.0) < 5 * 0.298 / 316)
    #expect(abs(moment(3, numbers) - 1 / 4.0) < 5 * 0.284 / 316)
  }

  @Test func `normal numbers have the moments of the normal distribution`() {
    var random = RandomStream(seed: 3, "normal")
    let numbers = (0..<100_000).map { _ in Double(random.normal()) }
    #expect(numbers.allSatisfy { $0.isFinite })
    #expect(abs(moment(1, numbers)) < 5 * 1 / 316)
    #expect(abs(moment(2, numbers) - 1) < 5 * 1.42 / 316)
    #expect(abs(moment(3, numbers)) < 5 * 3.88 / 316)
    #expect(abs(moment(4, numbers) - 3) < 5 * 9.8 / 316)
    // Neighbours are drawn from one pair of uniform numbers each, and must not be correlated.
    let products = zip(numbers, numbers.dropFirst()).map { $0 * $1 }
    #expect(abs(moment(1, products)) < 5 * 1 / 316)
  }

  @Test(arguments: [1, 2, 3, 7, 10, 1000])
  func `integers are uniform below their bound`(bound: Int) {
    var random = RandomStream(seed: 1, "integer", bound)
    var counts = [Int](repeating: 0, count: bound)
    let draws = 100 * bound
    for _ in 0..<draws {
      let value = random.integer(below: bound)
      #expect((0..<bound).contains(value))
      counts[value] += 1
    }
    #expect(chiSquare(counts) < chiSquareBound(bound))
  }

  @Test func `integers have no bias below a bound of the generator's own size`() {
    var random = RandomStream(seed: 2, "integer")
    // 2⁶⁴ is 2.5 times the bound. Without rejection an even number in its lowest third would come
    // from three of the generator's numbers, an odd one from two.
    let bound = Int(UInt64.max / 5 * 2 + 1)
    let low = (0..<60_000).map { _ in random.integer(below: bound) }.filter { $0 < bound / 3 }
    let excess = low.reduce(0) { $0 + ($1 % 2 == 0 ? 1 : -1) }
    #expect(Double(abs(excess)) < 5 * Double(low.count).squareRoot())
  }

  @Test(arguments: [0, 1, 2, 5, 1000])
  func `a permutation has every number once`(count: Int) {
    var random = RandomStream(seed: 5, "permutation")
    #expect(random.permutation(of: count).sorted() == Array(0..<count))
  }

  @Test func `all orders of four are equally frequent`() {
    var random = RandomStream(seed: 5, "permutation")
    var counts: [[Int]: Int] = [:]
    for _ in 0..<24_000 { counts[random.permutation(of: 4), default: 0] += 1 }
    #expect(counts.count == 24)
    #expect(chiSquare(Array(counts.values)) < chiSquareBound(24))
  }

  private func moment(_ order: Int, _ numbers: [Double]) -> Double {
    numbers.reduce(0) { sum, x in sum + (0..<order).reduce(1) { power, _ in power * x } }
      / Double(numbers.count)
  }

  /// Pearson's statistic against equal frequencies.
  private func chiSquare(_ counts: [Int]) -> Double {
    let expected = Double(counts.reduce(0, +)) / Double(counts.count)
    return counts.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
  }

  /// The mean of the statistic and five of its standard deviations.
  private func chiSquareBound(_ cells: Int) -> Double {
    let freedom = Double(cells - 1)
    return freedom + 5 * (2 * freedom).squareRoot() + 1e-9
  }
}
