import Datasets
import Networks
import Tensors
import Training

/// What one predictor made of checkpoints came to on a test set.
public struct CheckpointScores: Codable, Sendable {
  /// The file, or which ensemble.
  public var name: String
  /// Empty for an ensemble.
  public var architecture: String
  /// Empty for an ensemble.
  public var normalization: String
  /// How many test images were classified correctly.
  public var correct: Int
  public var scores: Scores

  private init(
    _ name: String, _ architecture: String, _ normalization: String, _ prediction: Probabilities,
    labels: [Int]
  ) {
    self.name = name
    self.architecture = architecture
    self.normalization = normalization
    scores = Scores(prediction, labels: labels)
    correct = Int((scores.accuracy * Double(labels.count)).rounded())
  }

  /// One network's scores.
  init(
    of network: Network, _ name: String, _ normalization: Normalization, logits: [Float],
    labels: [Int]
  ) {
    self.init(
      name, network.graph.description, normalization.description,
      Probabilities(logits: logits, classes: network.graph.outputs), labels: labels)
  }

  /// The scores of the ensembles of some networks: none of fewer than two.
  static func ensembles(
    of logits: [[Float]], classes: Int, labels: [Int]
  ) -> [CheckpointScores] {
    guard logits.count > 1 else { return [] }
    return Combination.allCases.map {
      CheckpointScores(
        "ensemble, mean \($0.rawValue)", "", "",
        ensemblePrediction(logits, classes: classes, combining: $0), labels: labels)
    }
  }

  /// Scores as a table.
  public static func table(_ rows: [CheckpointScores]) -> String {
    var table = TextTable(
      ["test set", "architecture", "normalization", "accuracy %", "NLL", "Brier", "ECE"])
    for row in rows {
      table.append([
        row.name, row.architecture, row.normalization, decimal(100 * row.scores.accuracy, 2),
        decimal(row.scores.nll, 4), decimal(row.scores.brier, 4), decimal(row.scores.ece, 4),
      ])
    }
    return table.text
  }
}

/// The logits of a network out of a file on some images.
///
/// - Throws: `CheckpointError` if they mean nothing.
func finiteLogits(
  of network: Network, _ path: String, on images: Images, threads: Int
) throws(CheckpointError) -> [Float] {
  let logits = logits(of: network, on: images, threads: threads)
  try requireFinite(logits, of: path)
  return logits
}

/// Checks that a network's predictions mean something.
///
/// - Throws: `CheckpointError` if a logit is infinite or no number, as huge weights make it.
func requireFinite(_ logits: [Float], of path: String) throws(CheckpointError) {
  guard logits.allSatisfy(\.isFinite) else {
    throw CheckpointError(
      path, "gives logits that are infinite or not numbers: its weights are huge")
  }
}
