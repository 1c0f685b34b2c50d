import Merging
import Training

/// What a run came to: `results.json` of a run folder.
///
/// Holds nothing that depends on time or machine, so equal experiments give equal bytes.
public struct Results: Codable, Equatable, Sendable {
  /// The version of this file's form that this program reads and writes.
  static let currentVersion = 2

  /// The version of this file's form.
  public var version = currentVersion

  /// What was scored: members, ensembles, merged networks, students, in this order.
  public var rows: [Row]

  /// The members' mean pairwise disagreement on the test set; nil for fewer than two.
  public var disagreement: Double?

  /// Loss and accuracy along the line between two members.
  public var lines: [Line]

  /// What lies between the members, as they are and as each method lined them up.
  public var barriers: [Barrier]

  /// One predictor and its scores.
  public struct Row: Codable, Equatable, Sendable {
    public var predictor: Predictor

    /// The checkpoint in the run folder; nil for ensembles.
    public var file: String?

    /// On the test set, which nothing was chosen by.
    public var test: Scores

    /// On the held-out training images; nil without a validation split.
    public var validation: Scores?

    /// Parameters that have to be stored.
    public var parameters: Int

    /// Passes through a network that one prediction takes.
    public var forwardPasses: Int
  }

  /// The networks (1 − λ) θ_a + λ θ_b for λ from 0 to 1.
  public struct Line: Codable, Equatable, Sendable {
    public var from: Int
    public var to: Int

    /// How the members were permuted first: the chain of methods that found how; nil for as they are.
    public var alignment: String?
    public var points: [Point]

    public struct Point: Codable, Equatable, Sendable {
      public var lambda: Double
      /// On the first 5,000 training images that were learned from.
      public var training: Value
      public var test: Value
    }
  }

  /// The row of what one method with its default settings made.
  func row(of method: MergeMethod) -> Row? {
    rows.first { $0.predictor == .merged(MethodChain(method), isHard: false) }
  }

  /// The rows of a kind.
  package func rows(_ kind: Predictor.Kind) -> [Row] { rows.filter { $0.predictor.kind == kind } }

  /// The row of a predictor.
  package func row(_ predictor: Predictor) -> Row? { rows.first { $0.predictor == predictor } }
}
