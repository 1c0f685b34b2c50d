/// A setting of a method of merging or of an exchange: declared once, where that is, and known to the command line, to files and to help by that.
///
///     static let restarts = Setting("restarts", 4, in: 1...100_000, "how often it starts anew; the best is kept")
///
/// and read by `values[restarts]` when the method is made.
public struct Setting<Value: Sendable & Equatable>: Sendable {
  public let name: String
  public let defaultValue: Value

  /// What it does, in a few words.
  public let help: String

  /// What values there may be, in words.
  public let range: String

  package let parse: @Sendable (String) -> Value?
  package let format: @Sendable (Value) -> String

  /// A setting of any kind: `range` says in words which texts `parse` takes, and `format` writes the one that it reads.
  public init(
    _ name: String, _ defaultValue: Value, range: String, _ help: String,
    parse: @escaping @Sendable (String) -> Value?, format: @escaping @Sendable (Value) -> String
  ) {
    self.name = name
    self.defaultValue = defaultValue
    self.range = range
    self.help = help
    self.parse = parse
    self.format = format
  }

  /// What stays when the type is forgotten.
  public var declaration: SettingDeclaration {
    SettingDeclaration(
      name: name, defaultText: format(defaultValue), range: range, help: help,
      canonical: { parse($0).map(format) })
  }
}

extension Setting<Int> {
  /// A whole number.
  public init(_ name: String, _ defaultValue: Int, in range: ClosedRange<Int>, _ help: String) {
    self.init(
      name, defaultValue, range: "\(range.lowerBound) to \(range.upperBound)", help,
      parse: { Int($0).flatMap { range.contains($0) ? $0 : nil } }, format: { "\($0)" })
  }
}

extension Setting<Float> {
  /// A number; `range` says in words which ones `isGood` allows of the finite.
  public init(
    _ name: String, _ defaultValue: Float, _ range: String, _ help: String,
    where isGood: @escaping @Sendable (Float) -> Bool
  ) {
    self.init(
      name, defaultValue, range: range, help, parse: { number($0, where: isGood) },
      format: { "\($0)" })
  }

  /// A learning rate.
  public static func rate(_ name: String, _ defaultValue: Float, _ help: String) -> Setting {
    Setting(name, defaultValue, "a number above 0", help) { $0 > 0 }
  }
}

extension Setting<Float?> {
  /// A number, or none.
  public init(
    _ name: String, _ defaultValue: Float?, _ range: String, _ help: String,
    where isGood: @escaping @Sendable (Float) -> Bool
  ) {
    self.init(
      name, defaultValue, range: "\(range), or none", help,
      parse: { text in text == "none" ? .some(nil) : number(text, where: isGood).map { .some($0) }
      },
      format: { $0.map { "\($0)" } ?? "none" })
  }
}

extension Setting where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
  /// One of a few words.
  public init(_ name: String, _ defaultValue: Value, _ help: String) {
    self.init(
      name, defaultValue, range: Value.allCases.map(\.rawValue).joined(separator: ", "), help,
      parse: { Value(rawValue: $0) }, format: { $0.rawValue })
  }
}

private func number(_ text: String, where isGood: (Float) -> Bool) -> Float? {
  guard let value = Float(text), value.isFinite, isGood(value) else { return nil }
  return value
}

/// A setting whose type is forgotten.
public struct SettingDeclaration: Sendable {
  public let name: String
  public let defaultText: String
  public let range: String
  public let help: String

  /// The one way to write a value, or nil if a text is none.
  package let canonical: @Sendable (String) -> String?
}

/// A method's settings as they were given; what was not has its default.
public struct SettingValues: Hashable, Sendable {
  /// Canonical texts by name; none that is the default.
  package private(set) var texts: [String: String] = [:]

  /// Nothing was given.
  public init() {}

  /// The value of a setting.
  public subscript<Value>(_ setting: Setting<Value>) -> Value {
    get { texts[setting.name].flatMap(setting.parse) ?? setting.defaultValue }
    set { set(setting.declaration, to: setting.format(newValue)) }
  }

  package mutating func set(_ setting: SettingDeclaration, to text: String) {
    texts[setting.name] = text == setting.defaultText ? nil : text
  }
}
