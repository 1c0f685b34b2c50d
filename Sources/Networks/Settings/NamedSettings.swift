/// A name with settings, as a user writes it: `mergemany(restarts=9)`.
///
/// Settings that are not given, or given as their default, are not written, so that what is equal has one text.
public struct NamedSettings: Hashable, Sendable {
  public let name: String
  public let declarations: [SettingDeclaration]
  public private(set) var values = SettingValues()

  /// Which settings were given, default or not.
  public private(set) var given: Set<String> = []

  /// A name with all defaults.
  public init(_ name: String, _ declarations: [SettingDeclaration]) {
    self.name = name
    self.declarations = declarations
  }

  /// What a text names; nil if there is nothing of the name.
  ///
  /// - Parameters:
  ///   - text: a name, and perhaps settings in brackets.
  ///   - declarations: of a name; nil if there is no such thing.
  /// - Throws: ``SettingsError`` naming the setting that is unknown or out of range, and what there is.
  public init?(
    parsing text: Substring, _ declarations: (String) -> [SettingDeclaration]?
  ) throws(SettingsError) {
    let parts = text.split(separator: "(", maxSplits: 1, omittingEmptySubsequences: false)
    let name = String(parts[0])
    guard let known = declarations(name) else { return nil }
    self.init(name, known)
    guard parts.count == 2 else { return }
    guard parts[1].hasSuffix(")") else {
      throw SettingsError("\"\(text)\": a bracket is not closed; write \(name)(setting=value)")
    }
    let inside = parts[1].dropLast()
    guard !inside.isEmpty else { return }
    for pair in Self.split(String(inside), at: { $0 == "," }) {
      let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard sides.count == 2 else {
        throw SettingsError("\"\(text)\": \"\(pair)\" is no setting; write \(name)(setting=value)")
      }
      try set(String(sides[0]), to: String(sides[1]))
    }
  }

  /// Gives a setting a value.
  ///
  /// - Throws: ``SettingsError`` if it is unknown, out of range, or was given before.
  public mutating func set(_ setting: String, to text: String) throws(SettingsError) {
    guard let declaration = declarations.first(where: { $0.name == setting }) else {
      let all = declarations.map { "\($0.name) (\($0.range))" }.joined(separator: ", ")
      throw SettingsError(
        "\(name) has no setting \"\(setting)\"; it has \(all.isEmpty ? "none" : all)")
    }
    guard let canonical = declaration.canonical(text) else {
      throw SettingsError("\(name)(\(setting)=\(text)): expected \(declaration.range)")
    }
    guard given.insert(setting).inserted else {
      throw SettingsError("\(name) is given the setting \(setting) twice")
    }
    values.set(declaration, to: canonical)
  }

  /// `mergemany(restarts=9)`, or `mergemany` with all defaults.
  public var description: String {
    text(of: declarations.filter { values.texts[$0.name] != nil })
  }

  /// The same with every setting.
  public var fullDescription: String { text(of: declarations) }

  private func text(of settings: [SettingDeclaration]) -> String {
    guard !settings.isEmpty else { return name }
    let pairs = settings.map { "\($0.name)=\(values.texts[$0.name] ?? $0.defaultText)" }
    return "\(name)(\(pairs.joined(separator: ",")))"
  }

  public static func == (a: NamedSettings, b: NamedSettings) -> Bool {
    a.description == b.description
  }
  public func hash(into hasher: inout Hasher) { hasher.combine(description) }

  /// Parts of a text between separators that stand in no brackets.
  package static func split(
    _ text: String, at isSeparator: (Character) -> Bool
  ) -> [Substring] {
    var depth = 0
    var parts: [Substring] = []
    var start = text.startIndex
    for index in text.indices {
      switch text[index] {
      case "(": depth += 1
      case ")": depth -= 1
      case let character where depth == 0 && isSeparator(character):
        parts.append(text[start..<index])
        start = text.index(after: index)
      default: break
      }
    }
    return parts + [text[start...]]
  }
}

/// Settings that cannot be.
public struct SettingsError: Error, CustomStringConvertible {
  public let description: String

  /// An error with the text a user sees.
  public init(_ description: String) { self.description = description }
}
