import Networks

/// How members' hidden units are lined up: one permutation for each member and group of units.
public struct Alignment: Equatable, Sendable {
  /// By member, and then by group.
  public var permutations: [[Permutation]]

  /// An alignment of given permutations.
  public init(_ permutations: [[Permutation]]) { self.permutations = permutations }

  /// Members with their units as they are.
  public static func identity(members: Int, _ symmetry: Symmetry) -> Alignment {
    Alignment(Array(repeating: symmetry.identity, count: members))
  }

  /// A member's permutations, by group.
  public subscript(member: Int) -> [Permutation] {
    get { permutations[member] }
    set { permutations[member] = newValue }
  }

  /// This alignment of members that another has lined up already.
  public func after(_ other: Alignment) -> Alignment {
    Alignment(zip(permutations, other.permutations).map { $0.after($1) })
  }

  /// All indices in one array, as messages carry them.
  var flat: [Int] { permutations.joined().flatMap(\.indices) }

  /// The alignment whose ``flat`` an array is.
  init(flat: [Int], members: Int, _ symmetry: Symmetry) {
    var rest = flat[...]
    permutations = (0..<members).map { _ in
      symmetry.groups.map { group in
        defer { rest = rest.dropFirst(group.count) }
        return Permutation(Array(rest.prefix(group.count)))
      }
    }
  }
}

extension Symmetry {
  /// The permutations that leave every group as it is.
  public var identity: [Permutation] { groups.map { .identity($0.count) } }

  /// How many units there are in all groups.
  var unitCount: Int { groups.reduce(0) { $0 + $1.count } }
}

extension [Permutation] {
  /// These permutations of units that others have reordered already.
  func after(_ others: [Permutation]) -> [Permutation] { zip(self, others).map { $0.after($1) } }

  /// Whether a unit changes its place.
  var movesUnits: Bool { contains { $0.fixedPoints < $0.count } }
}
