import Networks

/// A way of exchange by the name the command line knows it by.
public struct ExchangeMethod: Sendable {
  public let name: String

  /// One line about it.
  public let summary: String
  public let settings: [SettingDeclaration]

  let make: @Sendable (SettingValues) -> any Exchange
  let period: @Sendable (SettingValues) -> ExchangePeriod
  let start: @Sendable (SettingValues) -> ExchangeStart

  /// Whether the last exchange leaves the mean of all members with every worker, so that nothing needs to be gathered.
  var leavesMean = true

  /// Every way there is.
  public static let all: [ExchangeMethod] = [fedAvg, papa, papaAll, wash, diLoCo]
}

/// An exchange with its settings, as a run has it: `fedavg(every=2e)`.
public struct Coupling: Equatable, Sendable {
  public let method: ExchangeMethod
  private let settings: NamedSettings

  /// What a text names.
  ///
  /// - Throws: ``SettingsError`` naming the exchange or the setting that is unknown or out of range, and what there is.
  public init(parsing text: String) throws(SettingsError) {
    let all = ExchangeMethod.all
    let settings = try NamedSettings(parsing: text[...]) { name in
      all.first { $0.name == name }?.settings
    }
    guard let settings, let method = all.first(where: { $0.name == settings.name }) else {
      throw SettingsError(
        "there is no exchange \"\(text.prefix { $0 != "(" })\"; there are "
          + all.map(\.name).joined(separator: ", "))
    }
    (self.method, self.settings) = (method, settings)
  }

  /// The exchange, before its first.
  public func makeExchange() -> any Exchange { method.make(settings.values) }

  /// When members exchange.
  public var period: ExchangePeriod { method.period(settings.values) }

  /// Whether the last exchange leaves the mean of all members with every worker.
  public var leavesMeanEverywhere: Bool { method.leavesMean }

  /// Where they begin.
  public var start: ExchangeStart { method.start(settings.values) }

  public static func == (a: Coupling, b: Coupling) -> Bool { a.settings == b.settings }
}

extension Coupling: CodableAsText {
  public init?(_ description: String) {
    guard let coupling = try? Coupling(parsing: description) else { return nil }
    self = coupling
  }

  public var description: String { settings.description }

  public static func problem(with text: String) -> String {
    do {
      _ = try Coupling(parsing: text)
      return ""
    } catch { return error.description }
  }
}
