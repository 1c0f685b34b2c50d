import Merging
import Training

/// Something that predicts classes: what results are about.
public enum Predictor: Hashable, Sendable {
  case member(Int)
  case ensemble(Combination)

  /// What a chain of methods made of the members; hardened where soft matrices had mixed it.
  case merged(MethodChain, isHard: Bool)
  case student(Int)

  /// The kinds, in the order results are listed in.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    case member, ensemble, merged, student

    /// A chain that starts with a single member: what merges are held against.
    case control

    /// Members that told each other something while they trained, by their mean; in studies.
    case exchange
  }

  public var kind: Kind {
    switch self {
    case .member: .member
    case .ensemble: .ensemble
    case .merged(let chain, _): chain.isControl ? .control : .merged
    case .student: .student
    }
  }

  /// As tables have it.
  public var name: String {
    switch self {
    case .member(let number): "member \(number)"
    case .ensemble(let combination): "ensemble, mean \(combination.rawValue)"
    case .merged(let chain, let isHard): chain.name + (isHard ? "-hard" : "")
    case .student(let number): "student \(number)"
    }
  }

  /// The chain of a merged network, perhaps a control.
  public var chain: MethodChain? {
    if case .merged(let chain, _) = self { chain } else { nil }
  }
}

extension Predictor: Codable {
  private enum Key: String, CodingKey {
    case kind, name, number, combination, chain, isHard
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(kind, forKey: .kind)
    // For readers; it follows from the rest.
    try container.encode(name, forKey: .name)
    switch self {
    case .member(let number), .student(let number): try container.encode(number, forKey: .number)
    case .ensemble(let combination): try container.encode(combination, forKey: .combination)
    case .merged(let chain, let isHard):
      try container.encode(chain, forKey: .chain)
      try container.encode(isHard, forKey: .isHard)
    }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    switch try container.decode(Kind.self, forKey: .kind) {
    case .member: self = .member(try container.decode(Int.self, forKey: .number))
    case .student: self = .student(try container.decode(Int.self, forKey: .number))
    case .ensemble:
      self = .ensemble(try container.decode(Combination.self, forKey: .combination))
    case .merged, .control, .exchange:
      self = .merged(
        try container.decode(MethodChain.self, forKey: .chain),
        isHard: try container.decode(Bool.self, forKey: .isHard))
    }
  }
}
