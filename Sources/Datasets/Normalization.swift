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

  public var description: String { "\(mean),\(deviation)" }

  /// Floats per step of a byte.
  var scale: Float { 1 / (255 * deviation) }

  /// The float of byte 0.
  var shift: Float { -mean / deviation }
}

extension Normalization: CodableAsText {
  public static func problem(with text: String) -> String {
    "\"\(text)\" is not a normalisation such as 0.5,0.5"
  }
}
