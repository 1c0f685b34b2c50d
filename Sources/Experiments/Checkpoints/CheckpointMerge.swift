import Datasets
import Foundation
import Merging
import Networks
import Training

/// Merges checkpoints from anywhere into one file.
///
/// The file has the first checkpoint's tensor names, so that the program it comes from loads it as it loads its own.
public struct CheckpointMerge {
  public let paths: [String]
  public let output: String
  public let chain: MergeChain

  /// What methods that need data learn from, and all networks are scored on; nil for no data at all.
  public let dataset: DatasetName?
  public let dataFolder: String?

  /// For checkpoints that do not say how their inputs are made.
  public let normalization: Normalization?

  /// Its seed, batch size, flips and settings of merging are used.
  public let settings: Experiment
  public let threads: Int

  /// A merge.
  ///
  /// - Throws: ``UsageError`` for fewer than two checkpoints, a file that cannot be made, a method that needs data
  ///   where none is named, or settings out of range.
  public init(
    _ paths: [String], by chain: MergeChain, to output: String?, dataset: DatasetName?,
    dataFolder: String?, normalization: Normalization?, settings: Experiment, threads: Int?
  ) throws(UsageError) {
    guard paths.count > 1 else {
      throw UsageError(
        "\(paths.joined()): one checkpoint is nothing to merge; give two or more, or a run folder")
    }
    guard let output else {
      throw UsageError("--output is missing: name the file for the merged network")
    }
    if let method = chain.methods.first(where: \.needsData), dataset == nil {
      throw UsageError(
        "--method \(chain): \(method.name) needs training data; name it with --dataset")
    }
    if dataFolder != nil, dataset == nil {
      throw UsageError("--data says where data lies; name it with --dataset")
    }
    if let threads, threads < 1 { throw UsageError("--threads \(threads): expected 1 or more") }
    try settings.validate()
    try Self.requireNewFile(output, besides: paths)
    self.paths = paths
    self.chain = chain
    self.output = output
    self.dataset = dataset
    self.dataFolder = dataFolder
    self.normalization = normalization
    self.settings = settings
    self.threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
  }

  /// What came of a merge.
  public struct Outcome: Codable, Sendable {
    public var output: String
    /// The chain of methods.
    public var method: String
    public var architecture: String
    /// How many checkpoints were merged.
    public var sources: Int
    /// How inputs are made; nil if nobody said.
    public var normalization: String?
    /// The root mean square distance of the networks from their mean.
    public var distanceFromMean: Distance
    /// On the test set: each checkpoint, their ensembles, the merged network; empty without a data set.
    public var scores: [CheckpointScores] = []

    public struct Distance: Codable, Sendable {
      public var asTheyAre: Double
      /// After the permutations that were found.
      public var linedUp: Double
    }
  }

  /// Reads the checkpoints, merges them and writes the file.
  ///
  /// - Throws: `CheckpointError` for a file that is no network, or if the networks are of several architectures or
  ///   normalisations or do not fit the data; `DataError`, `MergeError`, `FileWriteError`.
  public func run() throws -> Outcome {
    let files = try paths.map(CheckpointFile.init)
    let architecture = try commonArchitecture(files)
    let known = try commonNormalization(files) ?? normalization
    let inputs = known ?? .symmetric
    let data = try dataset?.load(from: dataFolder)
    if let data, let dataset { try files[0].requireFit(data.training, dataset) }

    let progress = ProgressLine("merging \(files.count) checkpoints by \(chain)", isSilent: false)
    let members = files.map(\.network)
    let sums =
      chain.needsData
      ? data.map { self.sums(over: $0.training, normalization: inputs) } : nil
    var runner = try MergeRunner(members, settings: settings.merging)
    let merge = try runner.run(chain) { method in
      context(
        for: method, members, data: data?.training, sums: sums, normalization: inputs, progress)
    }.merge
    progress.finish()
    guard merge.network.isFinite else {
      throw MergeError(
        "the mean of \(files.count) checkpoints overflows: their weights are huge")
    }
    let scores = try data.map { data in
      try self.scores(files, merged: merge.network, on: data.test, normalization: inputs)
    }

    // Data was computed on with these inputs; without data nobody may have said how they are made.
    let normalization = data == nil ? known : inputs
    var metadata = [
      "program": "permavg", "method": chain.name, "sources": String(files.count),
      "seed": String(settings.seed),
    ]
    metadata["normalization"] = normalization?.description
    try merge.network.checkpoint(metadata: metadata, names: files[0].tensorNames)
      .write(to: output)
    return Outcome(
      output: output, method: chain.name, architecture: architecture.description,
      sources: files.count, normalization: normalization?.description,
      distanceFromMean: Outcome.Distance(
        asTheyAre: distanceFromMean(of: merge.members),
        linedUp: distanceFromMean(of: merge.alignedMembers)),
      scores: scores ?? [])
  }

  /// What a method may use, as far as checkpoints and a data set go.
  private func context(
    for method: MergingMethod, _ members: [Network], data: Dataset?, sums: InMemorySums?,
    normalization: Normalization, _ progress: ProgressLine
  ) -> MergeContext {
    var context = MergeContext(
      sums: sums, seed: settings.seed, threads: threads,
      onStep: { progress.update($0, of: $1) })
    guard let data else { return context }
    func batches(_ targets: SoftTargets?) -> ImageBatches {
      var batches = ImageBatches(
        data, batchSize: settings.training.batchSize, normalization: normalization,
        isFlipping: settings.training.flips, targets: targets, seed: settings.seed,
        purpose: "merge \(method.name)")
      batches.threads = threads
      return batches
    }
    context.batches = batches(nil)
    context.taughtBatches = { temperature in
      let teacher = Teacher(
        members: members, normalization: normalization,
        combination: settings.distillation.targets, temperature: temperature)
      return batches(teacher.targets(of: data, threads: threads))
    }
    return context
  }

  /// Sums over all images, for methods that need them.
  private func sums(over data: Dataset, normalization: Normalization) -> InMemorySums {
    var inputs = [Float](repeating: 0, count: data.count * data.features)
    data.normalize(0..<data.count, by: normalization, into: &inputs)
    return InMemorySums(inputs, features: data.features, threads: threads)
  }

  private func scores(
    _ files: [CheckpointFile], merged: Network, on test: Dataset, normalization: Normalization
  ) throws -> [CheckpointScores] {
    let labels = test.labels()
    func logits(_ network: Network, _ path: String) throws -> [Float] {
      try finiteLogits(
        of: network, path, on: test, normalization: normalization, threads: threads)
    }
    func scores(_ network: Network, _ path: String, _ logits: [Float]) -> CheckpointScores {
      CheckpointScores(of: network, path, normalization, logits: logits, labels: labels)
    }
    let members = try files.map { try logits($0.network, $0.path) }
    return zip(files, members).map { scores($0.network, $0.path, $1) }
      + CheckpointScores.ensembles(of: members, classes: test.classes, labels: labels)
      + [scores(merged, output, try logits(merged, output))]
  }
}

// MARK: - What the files must agree on

extension CheckpointMerge {
  private func commonArchitecture(
    _ files: [CheckpointFile]
  ) throws(CheckpointError) -> Architecture {
    let first = files[0].network.architecture
    for file in files where file.network.architecture != first {
      throw CheckpointError(
        file.path,
        "is of architecture \(file.network.architecture), \(files[0].path) of \(first); only"
          + " networks of one architecture can be merged")
    }
    return first
  }

  /// The normalisation that the files name, if one does.
  private func commonNormalization(
    _ files: [CheckpointFile]
  ) throws(CheckpointError) -> Normalization? {
    var found: (path: String, normalization: Normalization)?
    for file in files {
      guard let own = file.normalization else { continue }
      if let found, found.normalization != own {
        throw CheckpointError(
          file.path,
          "its inputs are normalised by \(own), those of \(found.path) by \(found.normalization);"
            + " only networks of the same inputs can be merged")
      }
      found = found ?? (file.path, own)
    }
    return found?.normalization
  }

  /// Checks that a file can be made, and nothing but an older file of its name is lost by it.
  private static func requireNewFile(
    _ output: String, besides paths: [String]
  ) throws(UsageError) {
    let folder = URL(fileURLWithPath: output).deletingLastPathComponent().path
    guard !output.isEmpty, FileManager.default.fileExists(atPath: folder) else {
      throw UsageError("--output \(output): there is no folder \(folder); make it first")
    }
    let destination: FileDestination
    do throws(FileWriteError) {
      destination = try FileDestination(output)
    } catch {
      throw UsageError("--output \(output): \(error.reason)")
    }
    do throws(FileWriteError) {
      try destination.requireWritableFolder()
    } catch {
      throw UsageError(
        "--output \(output): no file can be made in \(destination.folder) (\(error.reason));"
          + " name a file in another folder")
    }
    for path in paths where isSameFile(path, output) {
      throw UsageError("--output \(output): is one of the checkpoints; name another file")
    }
  }

  /// Whether two paths lead to one file, by whatever names and links.
  private static func isSameFile(_ a: String, _ b: String) -> Bool {
    var (first, second) = (stat(), stat())
    guard stat(a, &first) == 0, stat(b, &second) == 0 else { return false }
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino
  }
}

extension CheckpointMerge.Outcome {
  /// The outcome for a terminal.
  public var table: String {
    let distance = distanceFromMean
    let lines = [
      "\(sources) checkpoints of \(architecture) merged by \(method) into \(output)",
      "distance from their mean: \(decimal(distance.asTheyAre, 3)) as they are,"
        + " \(decimal(distance.linedUp, 3)) lined up",
    ]
    return (lines + (scores.isEmpty ? [] : ["", CheckpointScores.table(scores)]))
      .joined(separator: "\n")
  }
}

/// Whether a path is a folder that exists.
public func isDirectory(_ path: String) -> Bool {
  var isDirectory: ObjCBool = false
  return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
    && isDirectory.boolValue
}
