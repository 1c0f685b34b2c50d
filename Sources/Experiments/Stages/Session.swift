import Datasets
import Foundation
import MPI
import Networks
import Tensors
import Training

/// One command at work on a run folder, on every rank at once: what it is about, and the data.
public final class Session {
  package let job: Job
  package let folder: RunFolder

  /// What decides the numbers; on rank 0 with the data's fingerprint, once that is read.
  package private(set) var experiment: Experiment

  /// Where the images are.
  private let place: DataPlace
  private var loadedData: RunData?

  /// The members on every rank, once they were sent.
  private var sharedMembers: [Network]?

  private init(_ job: Job, folder: RunFolder, experiment: Experiment, data place: DataPlace) {
    self.job = job
    self.folder = folder
    self.experiment = experiment
    self.place = place
  }

  var world: Communicator { job.world }

  /// The recipe that the experiment started from, by name.
  public var recipe: String { experiment.recipe }

  // MARK: - Beginning

  /// Starts an experiment in a folder, which is made if need be.
  ///
  /// - Parameters:
  ///   - experiment: what is to be run; if it changes only later stages of the folder's, it takes its
  ///     place.
  ///   - path: the run folder.
  ///   - world: all ranks.
  ///   - command: the command's name, for the communication record.
  ///   - place: where the images are.
  ///   - threads: threads a rank may compute with; nil to share the node's cores out.
  ///   - isMeasured: whether the normalisation is the one that the training images ask for, and not the experiment's.
  ///   - keepsLaterStages: whether a folder that is there keeps its settings of distillation.
  /// - Returns: the session, for which all ranks have the data.
  /// - Throws: `JointFailure`, on every rank.
  public static func create(
    _ experiment: Experiment, at path: String, in world: Communicator, command: String,
    data place: DataPlace, threads: Int?, measuringNormalization isMeasured: Bool = false,
    keepingLaterStages keepsLaterStages: Bool = false
  ) throws -> Session {
    let session = Session(
      Job(in: world, command: command, threads: threads), folder: RunFolder(path),
      experiment: experiment, data: place)
    try world.together {
      try experiment.validate()
      try validate(path: path, threads: threads)
    }
    // The data is looked at before the folder is made, so that a mistake leaves nothing behind.
    _ = try session.data()
    if isMeasured { session.experiment.normalization = try session.measuredNormalization() }
    _ = try session.job.onRoot {
      session.experiment = try session.folder.prepare(
        for: session.experiment, keepingLaterStages: keepsLaterStages)
      try session.recordShards()
    }
    return session
  }

  /// Opens a run folder, or a study's cell, for a later stage.
  ///
  /// - Parameters:
  ///   - path: the folder.
  ///   - world: all ranks.
  ///   - command: the command's name, for the communication record.
  ///   - place: where the images are.
  ///   - threads: threads a rank may compute with; nil to share the node's cores out.
  ///   - change: changes settings of this stage; they are kept in the folder once it is done.
  /// - Returns: the session.
  /// - Throws: `JointFailure`, on every rank.
  public static func open(
    _ path: String, in world: Communicator, command: String, data place: DataPlace = DataPlace(),
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
      Job(in: world, command: command, threads: threads), folder: folder, experiment: experiment,
      data: place)
  }

  /// A session of a study, whose folder the study prepares.
  ///
  /// - Parameters:
  ///   - experiment: the folder's.
  ///   - world: all ranks.
  ///   - folder: the run folder.
  ///   - place: where the images are.
  ///   - threads: threads a rank may compute with; nil to share the node's cores out.
  ///   - other: a session that has read the same data; nil to read it.
  /// - Returns: the session, for which all ranks have the data.
  /// - Throws: `JointFailure`, on every rank.
  static func forStudy(
    _ experiment: Experiment, in world: Communicator, folder: RunFolder, data place: DataPlace,
    threads: Int?, sharingDataOf other: Session?
  ) throws -> Session {
    let session = Session(
      Job(in: world, command: "study", threads: threads), folder: folder, experiment: experiment,
      data: place)
    try world.together { try validate(path: folder.path, threads: threads) }
    // Shards are of one seed and one number of members.
    if let other,
      experiment.shards == nil
        || (experiment.seed, experiment.members) == (
          other.experiment.seed, other.experiment.members
        )
    {
      session.loadedData = other.loadedData
      session.experiment.data = other.experiment.data
    }
    _ = try session.data()
    return session
  }

  private static func validate(path: String, threads: Int?) throws(UsageError) {
    guard !path.isEmpty else { throw UsageError("the run folder has an empty name") }
    try Job.validate(threads: threads)
  }

  // MARK: - Data

  /// What this rank has of the images, read or received once.
  @discardableResult
  func data() throws -> RunData {
    if let loadedData { return loadedData }
    let data = try job.load(for: experiment, from: place) { fingerprint, set in
      try requireKnown(fingerprint)
      try experiment.validate(against: set)
    }
    loadedData = data
    return data
  }

  /// Checks that the data is what the folder's networks were made from; a new experiment takes it for its own.
  private func requireKnown(_ fingerprint: String) throws(UsageError) {
    guard let known = experiment.data else {
      experiment.data = fingerprint
      return
    }
    guard fingerprint == known else {
      let isInFolders = experiment.shards?.rule == .folders
      let found =
        (isInFolders ? place.shardFolders : nil) ?? place.folder
        ?? experiment.dataset.defaultFolder ?? experiment.dataset.rawValue
      throw UsageError(
        "\(folder.path): was made from other data (\(known)) than \(found) holds (\(fingerprint)); name the"
          + " folder's own with "
          + (isInFolders ? "--shard-data, and --data for the test images" : "--data"))
    }
  }

  // MARK: - Members

  /// The members on every rank: sent by rank 0, once a session.
  ///
  /// - Parameter members: by number, on rank 0; nil to read them from the folder.
  /// - Returns: all of them, by number.
  /// - Throws: `JointFailure`, on every rank.
  func membersEverywhere(_ members: [Network]?) throws -> [Network] {
    if let sharedMembers { return sharedMembers }
    let own = try job.onRoot { try members ?? folder.readMembers(for: experiment) }
    let all = try job.broadcast(own, phase: "broadcast members")
    sharedMembers = all
    return all
  }

  /// Takes members that every rank has already.
  func share(members: [Network]) { sharedMembers = members }

  // MARK: - The end

  /// Writes what the command's messages cost; the last thing that a command does.
  public func close() throws {
    let cost = try job.cost()
    _ = try job.onRoot {
      guard let cost else { return }
      var log = try folder.readCommunication()
      log.replace(cost)
      try folder.writeJSON(log, "communication.json")
    }
  }
}
