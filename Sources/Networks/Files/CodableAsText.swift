/// A value that is written in files as its text: `784-512-10`, `0.5,0.5`.
public protocol CodableAsText: Codable, LosslessStringConvertible {
  /// What is wrong with a text that is no such value.
  static func problem(with text: String) -> String
}

extension CodableAsText {
  public init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let value = Self(text) else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: Self.problem(with: text)))
    }
    self = value
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
