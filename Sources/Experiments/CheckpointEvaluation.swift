import Datasets
import Foundation
import MPI
import Networks
import Training

/// Scores checkpoints from anywhere on a test set, each alone and all as one ensemble.
public struct CheckpointEvaluation {
  public let paths: [String]
  public let dataset: DatasetName
  public let dataFolder: String?

  /// For checkpoints that do not say how their inputs are made.
  public let normalization: Normalization
  public let threads: Int

  /// Where to write each checkpoint's logits, `<name>.logits.safetensors`; nil for nowhere.
  public let logitsFolder: String?

  /// What one predictor came to.
  public struct Row: Codable, Sendable {
    /// The file, or which ensemble.
    public var name: String
    public var architecture: String
    public var normalization: String
    /// How many test images were classified correctly.
    public var correct: Int
    public var scores: Scores
  }

  /// An evaluation.
  ///
  /// - Throws: ``UsageError`` if there is nothing to evaluate or no thread to do it.
  public init(
    _ paths: [String], dataset: DatasetName, dataFolder: String?, normalization: Normalization,
    threads: Int?, logitsFolder: String?
  ) throws(UsageError) {
    if let threads, threads < 1 { throw UsageError("--threads \(threads): expected 1 or more") }
    if let logitsFolder {
      guard FileManager.default.fileExists(atPath: logitsFolder) else {
        throw UsageError("--logits \(logitsFolder): no such folder; make it first")
      }
      let names = paths.map(Self.logitsName)
      for (number, name) in names.enumerated() where names[..<number].contains(name) {
        throw UsageError(
          "--logits \(logitsFolder): two of the checkpoints would be written to \(name)")
      }
    }
    self.paths = paths
    self.dataset = dataset
    self.dataFolder = dataFolder
    self.normalization = normalization
    self.threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
    self.logitsFolder = logitsFolder
  }

  /// Reads and scores every checkpoint.
  ///
  /// - Throws: `CheckpointError` for a file that is no network or does not fit the data, `DataError`.
  public func run() throws -> [Row] {
    var networks: [(path: String, network: Network, normalization: Normalization)] = []
    for path in paths {
      let file = try Safetensors(contentsOf: path)
      let network = try Network(file, path: path)
      networks.append((path, network, try normalization(of: file, path)))
    }
    let test = try dataset.load(from: dataFolder).test
    for (path, network, _) in networks {
      let shape = network.architecture
      guard shape.inputs == test.features, shape.outputs == test.classes else {
        throw CheckpointError(
          path,
          "is of architecture \(shape); \(dataset.rawValue) has \(test.features) inputs and"
            + " \(test.classes) classes")
      }
    }
    let labels = test.labels()
    let logits = try networks.map { path, network, normalization in
      let logits = Training.logits(
        of: network, on: test, normalization: normalization, threads: threads)
      try requireFinite(logits, of: path)
      return logits
    }
    try save(logits, classes: test.classes)
    func row(
      _ name: String, _ architecture: String, _ normalization: String,
      _ prediction: Probabilities
    ) -> Row {
      let scores = Scores(prediction, labels: labels)
      return Row(
        name: name, architecture: architecture, normalization: normalization,
        correct: Int((scores.accuracy * Double(labels.count)).rounded()), scores: scores)
    }
    var rows = zip(networks, logits).map { entry, logits in
      row(
        entry.path, entry.network.architecture.description, entry.normalization.description,
        Probabilities(logits: logits, classes: test.classes))
    }
    if networks.count > 1 {
      rows += Combination.allCases.map {
        row(
          "ensemble, mean \($0.rawValue)", "", "",
          ensemblePrediction(logits, classes: test.classes, combining: $0))
      }
    }
    return rows
  }

  private func normalization(
    of file: Safetensors, _ path: String
  ) throws(CheckpointError) -> Normalization {
    guard let text = file.metadata["normalization"] else { return normalization }
    guard let own = Normalization(text) else {
      throw CheckpointError(
        path, "its metadata gives the normalization \"\(text)\", expected MEAN,DEVIATION")
    }
    return own
  }

  private func save(_ logits: [[Float]], classes: Int) throws {
    guard let logitsFolder else { return }
    for (path, logits) in zip(paths, logits) {
      let tensor = Safetensors.Tensor(
        name: "logits", shape: [logits.count / classes, classes], floats: logits)
      try Safetensors(tensors: [tensor]).write(
        to: "\(logitsFolder)/\(Self.logitsName(path))")
    }
  }

  private static func logitsName(_ path: String) -> String {
    let stem = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    return "\(stem).logits.safetensors"
  }

  /// The rows as a table.
  public static func table(_ rows: [Row]) -> String {
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

/// Checks that a network's predictions mean something.
///
/// - Throws: `CheckpointError` if a logit is infinite or no number, as huge weights make it.
func requireFinite(_ logits: [Float], of path: String) throws(CheckpointError) {
  guard logits.allSatisfy(\.isFinite) else {
    throw CheckpointError(
      path, "gives logits that are infinite or not numbers: its weights are huge")
  }
}
