import Datasets
import Foundation
import MPI
import Merging
import Networks
import Tensors
import Training

/// Merges checkpoints from anywhere into one file.
///
/// The file has the first checkpoint's tensor names, so that the program it comes from loads it as it loads its own.
public struct CheckpointMerge {
  public let paths: [String]
  public let output: String
  public let chain: MethodChain

  /// The graph that PyTorch's exporter sees of the networks; nil where their files say what they are.
  public let graph: String?

  /// The dense layers in their order, by name; nil where the names say it.
  public let layers: [String]?

  /// What methods that need data learn from, and all networks are scored on; nil for no data at all.
  public let dataset: DatasetName?
  public let dataFolder: String?

  /// For checkpoints that do not say how their inputs are made.
  public let normalization: Normalization?

  /// Its seed, batch size and flips are used.
  public let settings: Experiment
  public let threads: Int?

  /// A merge.
  ///
  /// - Throws: ``UsageError`` for fewer than two checkpoints, a file that cannot be made, a method that needs data
  ///   where none is named, or settings out of range.
  public init(
    _ paths: [String], by chain: MethodChain, to output: String?, graph: String? = nil,
    layers: [String]? = nil, dataset: DatasetName?,
    dataFolder: String?, normalization: Normalization?, settings: Experiment, threads: Int?
  ) throws(UsageError) {
    guard paths.count > 1 else {
      throw UsageError(
        "\(paths.joined()): one checkpoint is nothing to merge; give two or more, or a run folder")
    }
    guard let output else {
      throw UsageError("--output is missing: name the file for the merged network")
    }
    if let graph {
      guard layers == nil else {
        throw UsageError("--layers orders dense layers, and --graph \(graph) says it all: give one")
      }
      if let problem = chain.links.lazy.compactMap({ $0.method.problemWithoutRunning }).first {
        throw UsageError("--method \(chain): \(problem)")
      }
      guard dataset == nil else {
        throw UsageError(
          "--dataset: networks of --graph \(graph) are known by their tensors and cannot be run on data"
        )
      }
    }
    if let link = chain.links.first(where: { $0.method.needs.data }), dataset == nil {
      throw UsageError(
        "--method \(chain): \(link.method.name) needs training data; name it with --dataset")
    }
    if dataFolder != nil, dataset == nil {
      throw UsageError("--data says where data lies; name it with --dataset")
    }
    try Job.validate(threads: threads)
    try settings.validate()
    try Self.requireNewFile(output, besides: paths)
    self.paths = paths
    self.chain = chain
    self.output = output
    self.graph = graph
    self.layers = layers
    self.dataset = dataset
    self.dataFolder = dataFolder
    self.normalization = normalization
    self.settings = settings
    self.threads = threads
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

  /// Reads the checkpoints, merges them on all ranks and writes the file.
  ///
  /// - Parameter world: all ranks; rank 0 reads and writes.
  /// - Returns: what came of it, on rank 0; nil elsewhere.
  /// - Throws: `JointFailure`, on every rank: of `CheckpointError` for a file that is no network, or if the networks are of
  ///   several architectures or normalisations or do not fit the data, `DataError`, `MergeError`, `FileWriteError`.
  public func run(in world: Communicator) throws -> Outcome? {
    let job = Job(in: world, command: "merge", threads: threads)
    let read = try job.onRoot {
      try Self.read(paths, CheckpointLayout(graph: graph, layers: layers), dataset) {
        try dataset?.load(from: dataFolder)
      }
    }
    let data = dataset == nil ? nil : try world.broadcast(read?.data, phase: "broadcast data")
    var inputNormalization = [UInt8](
      (read?.normalization ?? normalization ?? .symmetric).description.utf8)
    try world.broadcast(&inputNormalization, from: 0, phase: "experiment")
    guard let inputs = Normalization(String(decoding: inputNormalization, as: UTF8.self)) else {
      preconditionFailure("a normalisation does not survive a message")
    }
    let progress = job.progress("merging \(paths.count) checkpoints by \(chain)")
    let members = try job.broadcast(
      read?.files.map(\.network), phase: "broadcast members")
    let surroundings = try RankSurroundings(
      job,
      MergeInputs(
        members: members,
        training: data.map {
          Images($0.training, normalization: inputs, isFlipping: settings.training.flips)
        }, seed: settings.seed, batchSize: settings.training.batchSize,
        isFlipping: settings.training.flips, combination: settings.distillation.targets))
    surroundings.progress = progress
    var runner = try world.together { try ChainRunner(members, names: paths) }
    let state = try runner.run(chain, in: surroundings).state
    progress.finish()
    return try job.onRoot {
      guard let read else { preconditionFailure("rank 0 has read the checkpoints") }
      return try write(state, read, data, threads: job.threads)
    }
  }

  /// The checkpoints, the data, and how the networks' inputs are made if a file says.
  private struct Contents {
    let files: [CheckpointFile]
    let data: DatasetPair?
    let normalization: Normalization?
  }

  private static func read(
    _ paths: [String], _ layout: CheckpointLayout, _ dataset: DatasetName?,
    load: () throws -> DatasetPair?
  ) throws -> Contents {
    let files = try paths.map { try CheckpointFile($0, as: layout) }
    try requireCommonArchitecture(files)
    let normalization = try commonNormalization(files)
    let data = try load()
    if let data, let dataset { try files[0].requireFit(data.training, dataset) }
    return Contents(files: files, data: data, normalization: normalization)
  }

  /// Scores the merged network and writes its file.
  private func write(
    _ state: MergeState, _ read: Contents, _ data: DatasetPair?, threads: Int
  ) throws -> Outcome {
    guard state.network.isFinite else {
      throw MergeError(
        "the mean of \(paths.count) checkpoints overflows: their weights are huge",
        isAboutWeights: true)
    }
    let known = read.normalization ?? normalization
    let scores = try data.map {
      try self.scores(
        read.files, merged: state.network,
        on: Images($0.test, normalization: known ?? .symmetric), threads: threads)
    }

    // Data was computed on with these inputs; without data nobody may have said how they are made.
    let normalization = data == nil ? known : known ?? .symmetric
    var experiment = settings
    experiment.data = data.map { DataFingerprint($0).text }
    experiment.normalization = normalization ?? .symmetric
    var metadata = [
      "program": "permavg", "method": chain.name, "sources": String(paths.count),
      "seed": String(settings.seed),
      Provenance.key: Provenance(
        chain, of: fingerprint(of: state.members), architecture: state.graph, in: experiment
      ).text,
    ]
    metadata["normalization"] = normalization?.description
    try read.files[0].form.checkpoint(of: state.network, metadata: metadata).write(to: output)
    return Outcome(
      output: output, method: chain.name, architecture: state.graph.description,
      sources: paths.count, normalization: normalization?.description,
      distanceFromMean: Outcome.Distance(
        asTheyAre: distanceFromMean(of: state.members),
        linedUp: distanceFromMean(of: state.alignedMembers)),
      scores: scores ?? [])
  }

  private func scores(
    _ files: [CheckpointFile], merged: Network, on test: Images, threads: Int
  ) throws -> [CheckpointScores] {
    let labels = test.labels
    func scores(_ network: Network, _ path: String, _ logits: [Float]) -> CheckpointScores {
      CheckpointScores(of: network, path, test.normalization, logits: logits, labels: labels)
    }
    func logits(_ network: Network, _ path: String) throws -> [Float] {
      try finiteLogits(of: network, path, on: test, threads: threads)
    }
    let members = try files.map { try logits($0.network, $0.path) }
    return zip(files, members).map { scores($0.network, $0.path, $1) }
      + CheckpointScores.ensembles(of: members, classes: test.dataset.classes, labels: labels)
      + [scores(merged, output, try logits(merged, output))]
  }
}

// MARK: - What the files must agree on

extension CheckpointMerge {
  private static func requireCommonArchitecture(
    _ files: [CheckpointFile]
  ) throws(CheckpointError) {
    let first = files[0].network.graph
    for file in files where file.network.graph != first {
      throw CheckpointError(
        file.path,
        "is of architecture \(file.network.graph), \(files[0].path) of \(first); only"
          + " networks of one architecture can be merged")
    }
  }

  /// The normalisation that the files name, if one does.
  private static func commonNormalization(
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
