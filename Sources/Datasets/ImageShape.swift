/// How large images are.
public struct ImageShape: Equatable, Sendable, CustomStringConvertible {
  public let channels: Int
  public let height: Int
  public let width: Int

  /// Images of some channels, each height × width pixels.
  public init(channels: Int = 1, height: Int, width: Int) {
    (self.channels, self.height, self.width) = (channels, height, width)
  }

  /// Bytes of an image.
  public var count: Int { channels * height * width }

  /// `28 × 28`, or `3 × 32 × 32` where there is more than one channel.
  public var description: String {
    (channels == 1 ? "" : "\(channels) × ") + "\(height) × \(width)"
  }

  /// As a message has it.
  public var numbers: [Int] { [channels, height, width] }

  /// The shape that a message has.
  public init(numbers: [Int]) {
    self.init(channels: numbers[0], height: numbers[1], width: numbers[2])
  }
}
