import Foundation

/// A stream of random numbers that is a function of what it is for, not of what was drawn before.
///
/// The key is (seed, purpose, indices), so that a member's initial weights or the order of its
/// third epoch are the same on whichever rank, in whatever order and after whatever restart they are
/// drawn. The key is hashed by FNV-1a and SplitMix64 into the state of xoshiro256** (Blackman &
/// Vigna 2021).
///
///     var order = RandomStream(seed: 7, "order", member, epoch)
public struct RandomStream: RandomNumberGenerator, Sendable {
  private var state: (UInt64, UInt64, UInt64, UInt64)

  /// The stream of a key.
  public init(seed: UInt64, _ purpose: String, _ indices: Int...) {
    var key: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in purpose.utf8 { key = (key ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    var mixer = SplitMix(state: seed)
    mixer.state = mixer.next() ^ key
    for index in indices { mixer.state = mixer.next() ^ UInt64(bitPattern: Int64(index)) }
    state = (mixer.next(), mixer.next(), mixer.next(), mixer.next())
  }

  public mutating func next() -> UInt64 {
    func rotate(_ x: UInt64, _ k: UInt64) -> UInt64 { (x &<< k) | (x &>> (64 &- k)) }
    let result = rotate(state.1 &* 5, 7) &* 9
    let t = state.1 &<< 17
    state.2 ^= state.0
    state.3 ^= state.1
    state.1 ^= state.2
    state.0 ^= state.3
    state.2 ^= t
    state.3 = rotate(state.3, 45)
    return result
  }

  /// A uniform number in [0, 1), a multiple of 2⁻²⁴.
  public mutating func uniform() -> Float { Float(next() &>> 40) * 0x1p-24 }

  /// A number of the standard normal distribution, by Box and Muller's method.
  public mutating func normal() -> Float {
    let radius = (-2 * log(1 - Double(next() &>> 11) * 0x1p-53)).squareRoot()
    return Float(radius * cos(2 * Double.pi * Double(next() &>> 11) * 0x1p-53))
  }

  /// A number of the gamma distribution of a shape and scale 1 (Marsaglia & Tsang 2000).
  public mutating func gamma(shape: Float) -> Float {
    guard shape >= 1 else {
      // The power that Marsaglia & Tsang give for shapes below one.
      let boosted = gamma(shape: shape + 1)
      return boosted * powf(1 - uniform(), 1 / shape)
    }
    let d = shape - 1 / 3
    let c = 1 / (9 * d).squareRoot()
    while true {
      let x = normal()
      let root = 1 + c * x
      guard root > 0 else { continue }
      let v = root * root * root
      if logf(1 - uniform()) < x * x / 2 + d - d * v + d * logf(v) { return d * v }
    }
  }

  /// Shares of a symmetric Dirichlet distribution; they sum to one but for rounding.
  public mutating func dirichlet(_ count: Int, concentration: Float) -> [Float] {
    let values = (0..<count).map { _ in gamma(shape: concentration) }
    let sum = values.reduce(0, +)
    return sum > 0 ? values.map { $0 / sum } : values.map { _ in 1 / Float(count) }
  }

  /// A uniform integer below `bound`, without bias (Lemire 2019).
  public mutating func integer(below bound: Int) -> Int {
    let bound = UInt64(bound)
    var product = next().multipliedFullWidth(by: bound)
    let threshold = (0 &- bound) % bound
    while product.low < threshold { product = next().multipliedFullWidth(by: bound) }
    return Int(product.high)
  }

  /// The numbers below `count` in random order.
  ///
  /// Our own Fisher–Yates shuffle, because the standard library does not promise its order.
  public mutating func permutation(of count: Int) -> [Int] {
    var result = Array(0..<count)
    for i in stride(from: count - 1, to: 0, by: -1) {
      result.swapAt(i, integer(below: i + 1))
    }
    return result
  }
}

/// Steele, Lea & Flood's generator (2014), here to spread a key over a state.
private struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z &>> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z &>> 31)
  }
}
