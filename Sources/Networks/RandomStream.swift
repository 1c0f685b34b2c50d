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
