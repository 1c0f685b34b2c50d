import Datasets
import Foundation
import MPI
import Merging
import Networks
import Training

/// One command at work on a run folder, on every rank at once.
public final class Session {
  let world: Communicator
  let folder: RunFolder
  let experiment: Experiment

  /// Where the data set's files are; nil for their usual place.
  let dataFolder: String?

  /// Threads a rank may compute with, if the user said.
  private let askedThreads: Int?
  private let command: String
  private let start = ContinuousClock.now
  private var loadedData: DatasetPair?
  private var split: ValidationSplit?

  private init(
    _ world: Communicator, command: String, folder: RunFolder, experiment: Experiment,
    dataFolder: String?, threads: Int?
  ) {
    self.world = world
    self.command = command
    self.folder = folder
    self.experiment = experiment
    self.dataFolder = dataFolder
    askedThreads = threads
  }

  /// Starts an experiment in a folder, which is made if need be.
  ///
  /// - Parameters:
  ///   - experiment: what is to be run; if it changes only later stages of the folder's, it takes its
  ///     place.
  ///   - path: the run folder.
  ///   - world: all ranks.
  ///   - command: the command's name, for the communication record.
  ///   - dataFolder: where the data set's files are; nil for their usual place.
  ///   - threads: threads a rank may compute with; nil to share the node's cores out.
  ///   - keepsLaterStages: whether a folder that is there keeps its settings of merging and distillation.
  /// - Returns: the session, for which all ranks have the data.
  /// - Throws: `JointFailure`, on every rank.
  public static func create(
    _ experiment: Experiment, at path: String, in world: Communicator, command: String,
    dataFolder: String?, threads: Int?, keepingLaterStages keepsLaterStages: Bool = false
  ) throws -> Session {
    let session = Session(
      world, command: command, folder: RunFolder(path), experiment: experiment,
      dataFolder: dataFolder, threads: threads)
    try world.together {
      try experiment.validate()
      try validate(path: path, threads: threads)
    }
    // The data is looked at before the folder is made, so that a mistake leaves nothing behind.
    _ = try session.data()
    _ = try session.onRoot {
      try session.folder.prepare(for: experiment, keepingLaterStages: keepsLaterStages)
    }
    return session
  }

  /// Opens a run folder for a later stage.
  ///
  /// - Parameters:
  ///   - path: the run folder.
  ///   - world: all ranks.
  ///   - command: the command's name, for the communication record.
  ///   - dataFolder: where the data set's files are; nil for their usual place.
  ///   - threads: threads a rank may compute with; nil to share the node's cores out.
  ///   - change: changes settings of this stage; they are kept in the folder once it is done.
  /// - Returns: the session.
  /// - Throws: `JointFailure`, on every rank.
  public static func open(
    _ path: String, in world: Communicator, command: String, dataFolder: String? = nil,
    threads: Int? = nil, changing change: (inout Experiment) -> Void = { _ in }
  ) throws -> Session {
    let folder = RunFolder(path)
    // Rank 0 reads for all: the folder may be on its node alone.
    var bytes: [UInt8] = []
    try world.together {
      try validate(path: path, threads: threads)
      guard world.isRoot else { return }
      var experiment = try folder.readExperiment()
      change(&experiment)
      try experiment.validate()
      bytes = [UInt8](try JSONEncoder().encode(experiment))
    }
    try world.broadcast(&bytes, from: 0, phase: "experiment")
    let experiment = try world.together {
      try JSONDecoder().decode(Experiment.self, from: Data(bytes))
    }
    return Session(
      world, command: command, folder: folder, experiment: experiment, dataFolder: dataFolder,
      threads: threads)
  }

  /// A session of a study, whose folder the study prepares.
  ///
  /// - Parameters:
  ///   - experiment: the folder's.
  ///   - world: all ranks.
  ///   - folder: the run folder.
  ///   - dataFolder: where the data set's files are; nil for their usual place.
  ///   - threads: threads a rank may compute with; nil to share the node's cores out.
  ///   - other: a session that has read the same data; nil to read it.
  /// - Returns: the session, for which all ranks have the data.
  /// - Throws: `JointFailure`, on every rank.
  static func forStudy(
    _ experiment: Experiment, in world: Communicator, folder: RunFolder, dataFolder: String?,
    threads: Int?, sharingDataOf other: Session?
  ) throws -> Session {
    let session = Session(
      world, command: "study", folder: folder, experiment: experiment, dataFolder: dataFolder,
      threads: threads)
    try world.together { try validate(path: folder.path, threads: threads) }
    session.loadedData = other?.loadedData
    _ = try session.data()
    return session
  }

  private static func validate(path: String, threads: Int?) throws(UsageError) {
    guard !path.isEmpty else { throw UsageError("the run folder has an empty name") }
    guard let threads, threads < 1 else { return }
    throw UsageError("--threads \(threads): expected 1 or more")
  }

  // MARK: - Threads

  /// Threads that rank 0 may compute with while the others wait: one a core, if the user did not say.
  var threads: Int { askedThreads ?? ProcessInfo.processInfo.activeProcessorCount }

  /// Threads for this rank while several work: the node's cores shared out, if the user did not say.
  ///
  /// - Parameter isBusy: whether this rank has work; those that sleep leave their cores to the others.
  /// - Returns: at least 1.
  /// - Throws: `MPIError`
  func threadsWhileSharing(isBusy: Bool) throws -> Int {
    let node = try world.splitByNode()
    let busy = try node.allreduce([isBusy ? 1 : 0], .sum, phase: "sharing cores")[0]
    return askedThreads ?? max(1, ProcessInfo.processInfo.activeProcessorCount / max(1, busy))
  }

  // MARK: - Working together

  var isRoot: Bool { world.isRoot }

  /// Does work on rank 0 while the other ranks sleep; throws on all ranks if it throws.
  ///
  /// - Returns: what the work gave, on rank 0; nil elsewhere.
  func onRoot<Value>(_ work: () throws -> Value) throws -> Value? {
    let result = Result { world.isRoot ? try work() : nil }
    try world.idleBarrier(phase: "waiting for rank 0")
    return try world.together { try result.get() }
  }

  func progress(_ label: String) -> ProgressLine {
    ProgressLine(label, isSilent: !isRoot)
  }

  // MARK: - Data

  /// The data set, read by rank 0 and sent to the others once.
  func data() throws -> DatasetPair {
    if let loadedData { return loadedData }
    let own = try onRoot { () throws -> DatasetPair in
      let pair = try experiment.dataset.load(from: dataFolder)
      try experiment.validate(against: pair.training)
      _ = try ValidationSplit(
        pair.training, holdingOut: experiment.validation, seed: experiment.seed)
      return pair
    }
    let pair = try world.broadcast(own, phase: "broadcast data")
    loadedData = pair
    return pair
  }

  /// Which training images are learned from, and which are held out.
  func validationSplit() throws -> ValidationSplit {
    if let split { return split }
    let made = try ValidationSplit(
      try data().training, holdingOut: experiment.validation, seed: experiment.seed)
    split = made
    return made
  }

  /// Seeded batches of the images that are learned from.
  ///
  /// - Parameters:
  ///   - purpose: keeps the streams of members, students and methods apart.
  ///   - index: which member or student.
  ///   - targets: soft targets to distil from.
  ///   - threads: how many threads may assemble a batch.
  /// - Returns: the batches.
  /// - Throws: `JointFailure`, on every rank, if the data cannot be had.
  func batches(
    for purpose: String, _ index: Int = 0, targets: SoftTargets? = nil, threads: Int
  ) throws -> ImageBatches {
    var batches = ImageBatches(
      try data().training, indices: try validationSplit().training,
      batchSize: experiment.training.batchSize, normalization: experiment.normalization,
      isFlipping: experiment.training.flips, targets: targets, seed: experiment.seed,
      purpose: purpose, member: index)
    batches.threads = threads
    return batches
  }

  /// Gives a function for the accuracy on the held-out images, if any are held out.
  ///
  /// - Parameter threads: how many threads compute it.
  /// - Returns: the function, or nil.
  /// - Throws: `JointFailure`, on every rank, if the data cannot be had.
  func validator(threads: Int = 1) throws -> ((Network) -> Double)? {
    let (images, training) = (try validationSplit().validation, try data().training)
    guard !images.isEmpty else { return nil }
    let normalization = experiment.normalization
    return { network in
      let logits = logits(
        of: network, on: training, images: images, normalization: normalization,
        threads: threads)
      let predicted = Probabilities(logits: logits, classes: network.architecture.outputs)
      let correct = images.enumerated().reduce(0) {
        $0 + (predicted.prediction($1.offset) == Int(training.labels[$1.element]) ? 1 : 0)
      }
      return Double(correct) / Double(images.count)
    }
  }

  // MARK: - The end

  /// Writes what the command's messages cost; the last thing that a command does.
  public func close() throws {
    let hosts = try world.gatherV([UInt8](MPI.processorName.utf8), to: 0, phase: "ledger")
    let ledgers = try world.collectLedger()
    _ = try onRoot {
      guard let hosts, let ledgers else { return }
      var log = try folder.readCommunication()
      log.replace(
        CommunicationLog.Command(
          command: command, ranks: world.size,
          hosts: hosts.map { String(decoding: $0, as: UTF8.self) },
          library: MPI.libraryVersion, transport: MPI.transportSettings,
          wallSeconds: (ContinuousClock.now - start).seconds,
          ledgers: ledgers))
      try folder.writeJSON(log, "communication.json")
    }
  }
}

extension Communicator {
  /// Sends rank 0's data set to every rank.
  fileprivate func broadcast(_ pair: DatasetPair?, phase: String) throws -> DatasetPair {
    guard size > 1 else {
      guard let pair else { preconditionFailure("rank 0 has read the data") }
      return pair
    }
    return DatasetPair(
      training: try broadcast(pair?.training, phase: phase),
      test: try broadcast(pair?.test, phase: phase))
  }

  private func broadcast(_ dataset: Dataset?, phase: String) throws -> Dataset {
    var shape = dataset.map { [$0.height, $0.width, $0.classes] } ?? []
    var name = [UInt8]((dataset?.name ?? "").utf8)
    var pixels = dataset?.pixels ?? []
    var labels = dataset?.labels ?? []
    try broadcast(&shape, from: 0, phase: phase)
    try broadcast(&name, from: 0, phase: phase)
    try broadcast(&pixels, from: 0, phase: phase)
    try broadcast(&labels, from: 0, phase: phase)
    return try together {
      try dataset
        ?? Dataset(
          name: String(decoding: name, as: UTF8.self), pixels: pixels, labels: labels,
          height: shape[0], width: shape[1], classes: shape[2])
    }
  }
}
