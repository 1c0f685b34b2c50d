import Foundation
import Networks

extension Verification {
  /// What permutations reach of a network of an exported graph, and what keeps the rest in its place.
  public struct Coverage: Codable, Equatable, Sendable {
    public var parameters: Int
    /// How many lie on an axis that some group of units numbers.
    public var permutable: Int
    public var groups: Int
    public var fixed: [Fixed]
    public var operatorsWithoutRule: [Operator]

    /// Parameters that stay where they are.
    public struct Fixed: Codable, Equatable, Sendable {
      public var reason: String
      public var parameters: Int
      public var firstTensor: String
    }

    /// An operator all of whose axes are pinned, since nobody has said how units pass through it.
    public struct Operator: Codable, Equatable, Sendable {
      public var name: String
      public var count: Int
      public var firstNode: String
    }

    init(_ symmetry: ExportedSymmetry) {
      parameters = symmetry.parameterCount
      permutable = symmetry.permutableParameters
      groups = symmetry.symmetry.groups.count
      fixed = symmetry.fixed.map {
        Fixed(reason: $0.reason, parameters: $0.parameters, firstTensor: $0.firstTensor)
      }
      operatorsWithoutRule = symmetry.unknown.map {
        Operator(name: $0.name, count: $0.count, firstNode: $0.firstNode)
      }
    }

    /// The share of parameters that permutations reach.
    public var share: Double { parameters == 0 ? 0 : Double(permutable) / Double(parameters) }

    /// For a terminal.
    var text: String {
      let percent = String(format: "%.3f", (share * 100_000).rounded(.down) / 1000)
      var lines = [
        "\(permutable) of \(parameters) parameters (\(percent) %) lie on an axis that a permutation reorders"
      ]
      for entry in fixed {
        lines.append(
          "  \(entry.parameters) stay, first those of \(entry.firstTensor): \(entry.reason)")
      }
      if operatorsWithoutRule.isEmpty {
        lines.append("every operator has a rule")
      }
      for entry in operatorsWithoutRule {
        lines.append(
          "no rule for \(entry.name), \(entry.count) ×, first at \(entry.firstNode): the units it reads and"
            + " makes stay where they are")
      }
      return lines.joined(separator: "\n")
    }
  }
}
