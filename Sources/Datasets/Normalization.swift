import Networks

/// How bytes become inputs: (byte / 255 − mean) / standard deviation.
///
/// It belongs to a trained network as much as its weights do, so it is kept in the checkpoint, written
/// `0.5,0.5`.
public struct Normalization: Hashable, Sendable {
  public let mean: Float
  public let deviation: Float

  /// The thesis' normalisation, to [−1, 1].
  public static let symmetric = Normalization(mean: 0.5, deviation: 0.5)

  private init(mean: Float, deviation: Float) {
    self.mean = mean
    self.deviation = deviation
  }

  /// The normalisation that a text such as `0.2860,0.3530` names, or nil.
  public init?(_ description: String) {
    let parts = description.split(separator: ",", omittingEmptySubsequences: false)
      .map { Float(String($0)) }
    guard parts.count == 2, let mean = parts[0], let deviation = parts[1], mean.isFinite,
      deviation.isFinite, deviation > 0
    else { return nil }
    self.init(mean: mean, deviation: deviation)
  }

  /// The one that gives bytes mean 0 and standard deviation 1, to four decimals of a byte's full range.
  ///
  /// - Parameter moments: how many bytes there are, their sum, and the sum of their squares; whole numbers, so that those of
  ///   shards add up exactly.
  public init(moments: ByteMoments) {
    let count = Double(max(moments.count, 1))
    let mean = Double(moments.sum) / count
    let variance = max(Double(moments.squares) / count - mean * mean, 0)
    func rounded(_ value: Double) -> Float { Float((value / 255 * 10_000).rounded() / 10_000) }
    self.init(mean: rounded(mean), deviation: max(rounded(variance.squareRoot()), 0.0001))
  }

  public var description: String { "\(mean),\(deviation)" }

  /// Floats per step of a byte.
  var scale: Float { 1 / (255 * deviation) }

  /// The float of byte 0.
  var shift: Float { -mean / deviation }
}

/// Sums over the bytes of images.
public struct ByteMoments: Equatable, Sendable {
  public var count = 0
  public var sum = 0
  public var squares = 0

  /// Sums that were taken elsewhere.
  public init(count: Int = 0, sum: Int = 0, squares: Int = 0) {
    (self.count, self.sum, self.squares) = (count, sum, squares)
  }

  /// The sums over some images of a set.
  public init(_ dataset: Dataset, indices: [Int]) {
    let features = dataset.features
    dataset.pixels.withUnsafeBufferPointer { pixels in
      for index in indices {
        for byte in pixels[index * features..<(index + 1) * features] {
          sum += Int(byte)
          squares += Int(byte) * Int(byte)
        }
      }
    }
    count = indices.count * features
  }
}

extension Normalization: CodableAsText {
  public static func problem(with text: String) -> String {
    "\"\(text)\" is not a normalisation such as 0.5,0.5"
  }
}
