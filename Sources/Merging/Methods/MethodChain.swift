import Networks

/// Merging methods that follow one another, each with its settings: `mergemany(restarts=9),repair`.
///
/// Each starts from what those before have come to. Settings that are not given, or given as their default, are not written, so
/// that equal chains have equal texts.
public struct MethodChain: Hashable, Sendable {
  /// A method and its settings.
  public struct Link: Hashable, Sendable {
    public let method: MergeMethod
    fileprivate(set) var settings: NamedSettings

    fileprivate init(_ method: MergeMethod, _ settings: NamedSettings? = nil) {
      self.method = method
      self.settings = settings ?? NamedSettings(method.name, method.settings)
    }

    public var values: SettingValues { settings.values }

    public static func == (a: Link, b: Link) -> Bool { a.settings == b.settings }
    public func hash(into hasher: inout Hasher) { hasher.combine(settings) }

    /// `mergemany(restarts=9)`, or `mergemany` with all defaults.
    public var description: String { settings.description }

    /// The same with every setting.
    public var fullDescription: String { settings.fullDescription }
  }

  /// At least one.
  public private(set) var links: [Link]

  /// A chain of at least one method, with default settings.
  public init(_ methods: MergeMethod...) {
    precondition(!methods.isEmpty, "a chain of no methods")
    links = methods.map { Link($0) }
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
    for part in NamedSettings.split(text, at: { $0 == "," || $0 == "+" }) {
      links.append(try Self.link(part, in: catalog))
    }
  }

  private static func link(
    _ text: Substring, in catalog: MethodCatalog
  ) throws(MergeError) -> Link {
    do {
      let settings = try NamedSettings(parsing: text) { catalog[$0]?.settings }
      if let settings, let method = catalog[settings.name] { return Link(method, settings) }
    } catch {
      throw MergeError(error.description)
    }
    throw MergeError(
      "there is no method \"\(text.prefix { $0 != "(" })\"; there are "
        + catalog.methods.map(\.name).joined(separator: ", "))
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
      guard isMeant(link.method), !link.settings.given.contains(name),
        link.method.settings.contains(where: { $0.name == name })
      else { continue }
      do {
        try result.links[place].settings.set(name, to: value)
      } catch {
        throw MergeError(error.description)
      }
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

  /// Why the chain cannot merge members of a graph; nil if it can.
  public func problem(for graph: Graph) -> String? {
    links.lazy.compactMap { $0.method.problem(for: graph) }.first
  }

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
