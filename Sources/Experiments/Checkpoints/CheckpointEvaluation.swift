import Datasets
import Foundation
import MPI
import Networks
import Tensors
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

  /// An evaluation.
  ///
  /// - Throws: ``UsageError`` if there is nothing to evaluate or no thread to do it.
  public init(
    _ paths: [String], dataset: DatasetName, dataFolder: String?, normalization: Normalization,
    threads: Int?, logitsFolder: String?
  ) throws(UsageError) {
    try Job.validate(threads: threads)
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
  /// - Returns: one row a checkpoint, then the ensembles.
  /// - Throws: `CheckpointError` for a file that is no network or does not fit the data, `DataError`.
  public func run() throws -> [CheckpointScores] {
    let files = try paths.map(CheckpointFile.init)
    let test = try dataset.load(from: dataFolder).test
    for file in files { try file.requireFit(test, dataset) }
    let labels = test.labels.map(Int.init)
    let logits = try files.map { file in
      try finiteLogits(
        of: file.network, file.path,
        on: Images(test, normalization: file.normalization ?? normalization), threads: threads)
    }
    try save(logits, classes: test.classes)
    let rows = zip(files, logits).map { file, logits in
      CheckpointScores(
        of: file.network, file.path, file.normalization ?? normalization, logits: logits,
        labels: labels)
    }
    return rows + CheckpointScores.ensembles(of: logits, classes: test.classes, labels: labels)
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
}
