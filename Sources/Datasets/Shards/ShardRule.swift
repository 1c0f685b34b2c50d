import Networks

/// How the images of one data set are dealt out to members that are to share none: `iid`, `dirichlet:0.3`, `classes:2` or
/// `sizes:0.5`.
public enum ShardRule: Equatable, Sendable {
  /// At random, equally many each.
  case iid

  /// Equally many each, of classes by shares that each member draws from a symmetric Dirichlet distribution (Hsu, Qi &
  /// Brown 2019): the smaller the concentration, the fewer the classes of a member.
  ///
  /// The shares are fitted so that all members together have each class as often as an even sample of the set has it.
  case dirichlet(Float)

  /// Equally many each, of so many classes a member, dealt out in turn so that every class has takers.
  case classes(Int)

  /// At random, with shares of the images from a symmetric Dirichlet distribution: some members have many, others few
  /// (quantity skew in Li, Diao, Chen & He 2022).
  case sizes(Float)

  /// Not dealt out at all: each member's images come from a folder of its own.
  case folders
}

extension ShardRule: CodableAsText {
  public init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    func concentration() -> Float? {
      Float(parts[1]).flatMap { (1e-3...1e6).contains($0) ? $0 : nil }
    }
    switch (parts.first, parts.count) {
    case ("iid", 1): self = .iid
    case ("folders", 1): self = .folders
    case ("dirichlet", 2):
      guard let value = concentration() else { return nil }
      self = .dirichlet(value)
    case ("classes", 2):
      guard let count = Int(parts[1]), (2...256).contains(count) else { return nil }
      self = .classes(count)
    case ("sizes", 2):
      guard let value = concentration() else { return nil }
      self = .sizes(value)
    default: return nil
    }
  }

  public var description: String {
    switch self {
    case .iid: "iid"
    case .dirichlet(let concentration): "dirichlet:\(concentration)"
    case .classes(let count): "classes:\(count)"
    case .sizes(let concentration): "sizes:\(concentration)"
    case .folders: "folders"
    }
  }

  public static func problem(with text: String) -> String {
    "expected iid, dirichlet:A or sizes:A with A from 0.001 to 1000000, or classes:K with K from 2 to 256"
  }
}
