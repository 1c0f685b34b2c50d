import Networks

/// Merging methods that follow one another, each with its settings: `mergemany(restarts=9),repair`.
///
/// Each starts from what those before have come to. Settings that are not given, or given as their default, are not written, so
/// that equal chains have equal texts.
public struct MethodChain: Hashable, Sendable {
  /// A method and its settings.
  public struct Link: Hashable, Sendable {
    public let method: MergeMethod
    public internal(set) var values: SettingValues
    /// Which settings were given, default or not.
    var given: Set<String> = []

    public static func == (a: Link, b: Link) -> Bool { a.description == b.description }
    public func hash(into hasher: inout Hasher) { hasher.combine(description) }

    /// `mergemany(restarts=9)`, or `mergemany` with all defaults.
    public var description: String {
      text(of: method.settings.filter { values.texts[$0.name] != nil })
    }

    /// The same with every setting.
    public var fullDescription: String { text(of: method.settings) }

    private func text(of settings: [SettingDeclaration]) -> String {
      guard !settings.isEmpty else { return method.name }
      let pairs = settings.map { "\($0.name)=\(values.texts[$0.name] ?? $0.defaultText)" }
      return "\(method.name)(\(pairs.joined(separator: ",")))"
    }
  }

  /// At least one.
  public private(set) var links: [Link]

  /// A chain of at least one method, with default settings.
  public init(_ methods: MergeMethod...) {
    precondition(!methods.isEmpty, "a chain of no methods")
    links = methods.map { Link(method: $0, values: SettingValues()) }
  }

  /// The chain that a text names; nil if a method or a setting is unknown.
  public init?(_ description: String) {
    guard let chain = try? MethodChain(parsing: description) else { return nil }
    self = chain
  }

  /// The chain that a text names, methods separated by commas or plus signs.
  ///
  /// - Throws: ``MergeError`` naming the method or the setting that is unknown or out of range, and what there is.
  public init(parsing text: String, in catalog: MethodCatalog = .standard) throws(MergeError) {
    links = []
    for part in Self.split(text, at: { $0 == "," || $0 == "+" }) {
      links.append(try Self.link(part, in: catalog))
    }
  }

  private static func link(
    _ text: Substring, in catalog: MethodCatalog
  ) throws(MergeError) -> Link {
    let parts = text.split(separator: "(", maxSplits: 1, omittingEmptySubsequences: false)
    let name = String(parts[0])
    guard let method = catalog[name] else {
      throw MergeError(
        "there is no method \"\(name)\"; there are "
          + catalog.methods.map(\.name).joined(separator: ", "))
    }
    var link = Link(method: method, values: SettingValues())
    guard parts.count == 2 else { return link }
    guard parts[1].hasSuffix(")") else {
      throw MergeError("\"\(text)\": a bracket is not closed; write \(name)(setting=value)")
    }
    let inside = parts[1].dropLast()
    guard !inside.isEmpty else { return link }
    for pair in split(String(inside), at: { $0 == "," }) {
      let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard sides.count == 2 else {
        throw MergeError("\"\(text)\": \"\(pair)\" is no setting; write \(name)(setting=value)")
      }
      try link.set(String(sides[0]), to: String(sides[1]))
    }
    return link
  }

  /// Parts of a text between separators that stand in no brackets.
  private static func split(_ text: String, at isSeparator: (Character) -> Bool) -> [Substring] {
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

  /// The same chain with a setting wherever a method has it and it was not given.
  ///
  /// - Parameters:
  ///   - name: the setting's.
  ///   - value: its text.
  ///   - isMeant: which methods.
  /// - Returns: the chain with the setting.
  /// - Throws: ``MergeError`` if the value is out of range.
  public func settingDefault(
    _ name: String, to value: String, where isMeant: (MergeMethod) -> Bool = { _ in true }
  ) throws(MergeError) -> MethodChain {
    var result = self
    for place in links.indices {
      let link = links[place]
      guard isMeant(link.method), !link.given.contains(name),
        link.method.settings.contains(where: { $0.name == name })
      else { continue }
      try result.links[place].set(name, to: value)
    }
    return result
  }

  /// As a user writes it, joined by commas.
  public var description: String { links.map(\.description).joined(separator: ",") }

  /// As files and tables have it, joined by plus signs.
  public var name: String { links.map(\.description).joined(separator: "+") }

  /// With every setting.
  public var fullDescription: String { links.map(\.fullDescription).joined(separator: ",") }

  public var needsData: Bool { links.contains { $0.method.needs.data } }

  /// Whether the chain starts with a control: one member, whatever is then done with it.
  public var isControl: Bool {
    links.first?.method.isControl ?? false
  }
}

extension MethodChain: CodableAsText {
  public static func problem(with text: String) -> String {
    do {
      _ = try MethodChain(parsing: text)
      return ""
    } catch {
      return "\"\(text)\" is no chain of methods that this version knows: \(error)"
    }
  }
}

extension MethodChain.Link {
  fileprivate mutating func set(_ name: String, to text: String) throws(MergeError) {
    guard let setting = method.settings.first(where: { $0.name == name }) else {
      let all = method.settings.map { "\($0.name) (\($0.range))" }.joined(separator: ", ")
      throw MergeError(
        "\(method.name) has no setting \"\(name)\"; it has \(all.isEmpty ? "none" : all)")
    }
    guard let canonical = setting.canonical(text) else {
      throw MergeError("\(method.name)(\(name)=\(text)): expected \(setting.range)")
    }
    guard given.insert(name).inserted else {
      throw MergeError("\(method.name) is given the setting \(name) twice")
    }
    values.set(setting, to: canonical)
  }
}
