/// What stands between the parentheses of a layer's text: `16,kernel=3,bias=no`.
struct LayerArguments {
  private var rest: [String: String] = [:]
  let first: String

  /// The arguments of a text; nil if it is none.
  init?(_ text: String?) {
    guard let text else { return nil }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    first = String(parts[0])
    for part in parts.dropFirst() {
      let pair = part.split(separator: "=", maxSplits: 1)
      guard pair.count == 2, rest.updateValue(String(pair[1]), forKey: String(pair[0])) == nil
      else { return nil }
    }
  }

  /// Takes a whole number from 0; `missing` where it is not given, and nil if it is none.
  mutating func number(_ name: String, _ missing: Int) -> Int? {
    guard let text = rest.removeValue(forKey: name) else { return missing }
    return Int(text).flatMap { (0...1 << 24).contains($0) ? $0 : nil }
  }

  /// Takes a height and a width, `3` or `3x2`.
  mutating func extent(_ name: String) -> Extent? {
    rest.removeValue(forKey: name).flatMap { Extent($0) }
  }

  /// Takes `yes` or `no`.
  mutating func answer(_ name: String, _ missing: Bool) -> Bool? {
    guard let text = rest.removeValue(forKey: name) else { return missing }
    return ["yes": true, "no": false][text]
  }

  /// Whether all were taken.
  var isEmpty: Bool { rest.isEmpty }
}

/// A height and a width in pixels, written `3` where they are the same, else `3x2`.
public struct Extent: Sendable, Equatable, CustomStringConvertible {
  public let height: Int
  public let width: Int

  /// A square.
  public init(_ side: Int) { (height, width) = (side, side) }

  /// The extent of a text; nil if it is none.
  init?(_ text: String) {
    let parts = text.split(separator: "x", omittingEmptySubsequences: false)
    let sides = parts.compactMap { Int($0) }
    guard sides.count == parts.count, (1...2).contains(sides.count),
      sides.allSatisfy({ (1...1 << 12).contains($0) })
    else { return nil }
    (height, width) = (sides[0], sides.last ?? 0)
  }

  public var description: String { height == width ? "\(height)" : "\(height)x\(width)" }
}

extension Layer {
  /// The channels, the height and the width of the only input.
  func image(_ inputs: [Shape]) throws(LayerError) -> (channels: Int, height: Int, width: Int) {
    let shape = try single(inputs)
    guard shape.count == 3 else {
      throw LayerError("takes channels × height × width, and its input has the shape \(shape)")
    }
    return (shape[0], shape[1], shape[2])
  }

  /// Where a window of some pixels can be put along an edge.
  func positions(
    _ size: Int, _ reach: Int, stride: Int, padding: Int
  ) throws(LayerError) -> Int {
    guard size + 2 * padding >= reach else {
      throw LayerError(
        "needs images of at least \(reach - 2 * padding) pixels a side, and its input has \(size)")
    }
    return (size + 2 * padding - reach) / stride + 1
  }
}
