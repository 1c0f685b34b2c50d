import Foundation
import MPI
import Merging
import Networks
import Tensors
import Training

/// One plan at work on a study's folder, on every rank at once.
///
/// `seed-S/` is a run folder with the members of the largest size; `seed-S/M-008/` is a cell, a run folder that uses the
/// first 8 of them. Whatever is there already is kept, so a study goes on where it stopped, and may grow: further
/// sizes, seeds and ways to merge.
public final class Study {
  private let world: Communicator
  private let folder: RunFolder
  private let plan: StudyPlan
  private let place: DataPlace
  private let threads: Int?

  /// How long members and cells take, so far.
  private var estimate = StudyEstimate()

  /// A study in a folder, which is made if need be.
  ///
  /// - Throws: `JointFailure`, on every rank, if the plan cannot work, or the folder holds another study.
  public init(
    _ plan: StudyPlan, at path: String, in world: Communicator, data place: DataPlace, threads: Int?
  ) throws {
    self.world = world
    self.plan = plan
    self.place = place
    self.threads = threads
    folder = RunFolder(path)
    let folder = folder
    try world.together {
      try plan.validate()
      guard world.isRoot else { return }
      if let there = try folder.readStudyPlan() {
        let differences = plan.differences(from: there)
        guard differences.isEmpty else {
          throw UsageError(
            "\(path): holds another study (\(differences.joined(separator: "; ")));"
              + " choose another --output, or remove the folder")
        }
      } else if folder.exists("experiment.json") {
        throw UsageError("\(path): is a run folder, not a study's; choose another --output")
      }
    }
  }

  /// Trains what is missing, merges, distils and scores it cell by cell, and writes the tables after each.
  ///
  /// - Parameter onTable: called on rank 0 after each cell.
  /// - Returns: the table, on rank 0; nil elsewhere.
  /// - Throws: `JointFailure`, on every rank.
  public func run(onTable: (StudyTable) throws -> Void = { _ in }) throws -> StudyTable? {
    let first = try session(plan.seeds[0], sharingDataOf: nil)
    _ = try first.job.onRoot {
      // All seeds are looked at before the first is worked on, and the data before anything is made.
      for seed in plan.seeds {
        var experiment = plan.experiment(seed: seed, members: plan.experiment.members)
        experiment.data = first.experiment.data
        try RunFolder(folder.path("seed-\(seed)")).checkMembers(for: experiment)
      }
      try folder.make(folder.path)
      try folder.writeJSON(plan, "study.json")
    }
    estimate.cellsLeft =
      plan.seeds.count
      * (plan.sizes.reduce(0, +) + plan.experiment.members * (plan.exchanges?.count ?? 0))
    estimate.membersLeft = plan.seeds.count * plan.experiment.members
    for seed in plan.seeds {
      try run(
        seed, seed == plan.seeds[0] ? first : session(seed, sharingDataOf: first), onTable)
    }
    return try first.job.onRoot { try StudyTable(folder, plan) }
  }

  private func session(_ seed: UInt64, sharingDataOf other: Session?) throws -> Session {
    try Session.forStudy(
      plan.experiment(seed: seed, members: plan.experiment.members), in: world,
      folder: RunFolder(folder.path("seed-\(seed)")), data: place, threads: threads,
      sharingDataOf: other)
  }

  /// Does what is missing of a seed.
  private func run(
    _ seed: UInt64, _ session: Session, _ onTable: (StudyTable) throws -> Void
  ) throws {
    try session.prepareSharedMembers()
    let start = ContinuousClock.now
    let missing = try session.missingMembers().count
    let members = try session.trainMembers()
    estimate.trained(
      missing, of: plan.experiment.members, in: (ContinuousClock.now - start).seconds)
    try session.close()
    for size in plan.sizes {
      if world.isRoot {
        ProgressLine.note("study: seed \(seed), M = \(size)\(estimate.text)")
      }
      let start = ContinuousClock.now
      let isNew = try runCell(seed, size, members: members, of: session)
      estimate.finished(
        size, in: isNew ? (ContinuousClock.now - start).seconds : nil)
      _ = try session.job.onRoot {
        let table = try StudyTable(folder, plan)
        try table.write()
        try onTable(table)
      }
    }
    for coupling in plan.exchanges ?? [] {
      if world.isRoot {
        ProgressLine.note("study: seed \(seed), \(coupling.description)\(estimate.text)")
      }
      let start = ContinuousClock.now
      let isNew = try runCoupled(seed, by: coupling, of: session)
      estimate.finished(
        plan.experiment.members, in: isNew ? (ContinuousClock.now - start).seconds : nil)
      _ = try session.job.onRoot {
        let table = try StudyTable(folder, plan)
        try table.write()
        try onTable(table)
      }
    }
  }

  /// Trains members that are coupled, and scores their mean, if that is missing.
  ///
  /// - Returns: whether it was.
  private func runCoupled(
    _ seed: UInt64, by coupling: Coupling, of seedSession: Session
  ) throws -> Bool {
    let session = try Session.forStudy(
      plan.experiment(seed: seed, coupledBy: coupling), in: world,
      folder: folder.coupled(seed: seed, by: coupling), data: place, threads: threads,
      sharingDataOf: seedSession)
    let chain = MethodChain(.naive)
    var isComplete =
      try session.job.onRoot {
        try session.folder.prepare(for: session.experiment, keepingLaterStages: false)
        return [try session.folder.readResults() == nil ? 0 : 1]
      } ?? [0]
    try world.broadcast(&isComplete, from: 0, phase: "study")
    guard isComplete == [0] else { return false }
    let members = try session.trainMembers()
    try session.merge(members, by: [chain])
    _ = try session.evaluate(withLines: false)
    try session.close()
    return true
  }

  /// Does what is missing of a cell.
  ///
  /// - Returns: whether anything was.
  private func runCell(
    _ seed: UInt64, _ size: Int, members: [Network]?, of seedSession: Session
  ) throws -> Bool {
    let session = try Session.forStudy(
      plan.experiment(seed: seed, members: size), in: world,
      folder: folder.cell(seed: seed, size: size), data: place, threads: threads,
      sharingDataOf: seedSession)
    let chains = plan.chains(at: size)
    let own = members.map { Array($0.prefix(size)) }
    var isComplete =
      try session.job.onRoot {
        try session.folder.prepare(for: session.experiment, keepingLaterStages: false)
        return [try session.isComplete(chains, members: own ?? []) ? 1 : 0]
      } ?? [0]
    try world.broadcast(&isComplete, from: 0, phase: "study")
    guard isComplete == [0] else { return false }
    // Members of shards go to other ranks only once a step needs them there.
    if session.experiment.shards == nil {
      session.share(members: Array(try seedSession.membersEverywhere(members).prefix(size)))
    }
    try session.merge(own, by: chains)
    try session.distill(own)
    _ = try session.evaluate(withLines: false)
    try session.close()
    return true
  }
}

/// How long the rest of a study may take, by what was done of it in this call.
private struct StudyEstimate {
  /// Members that may have to be trained, and cells, in units of members, that may have to be worked on.
  var membersLeft = 0
  var cellsLeft = 0
  private var (members, memberSeconds) = (0, 0.0)
  private var (cells, cellSeconds) = (0, 0.0)

  mutating func trained(_ count: Int, of all: Int, in seconds: Double) {
    membersLeft -= all
    members += count
    if count > 0 { memberSeconds += seconds }
  }

  mutating func finished(_ size: Int, in seconds: Double?) {
    cellsLeft -= size
    guard let seconds else { return }
    cells += size
    cellSeconds += seconds
  }

  /// `, about 12 min 05 s left in all`; empty while nothing is known.
  var text: String {
    guard cells > 0, membersLeft == 0 || members > 0 else { return "" }
    let left =
      cellSeconds / Double(cells) * Double(cellsLeft)
      + (members > 0 ? memberSeconds / Double(members) * Double(membersLeft) : 0)
    return ", about \(readableDuration(left)) left in all"
  }
}

extension Session {
  /// Whether a cell has all that is wanted of it, made as it would be now, and its scores.
  fileprivate func isComplete(_ chains: [MethodChain], members: [Network]) throws -> Bool {
    let fingerprint = Experiments.fingerprint(of: members)
    for chain in chains {
      guard try holds(chain, members: fingerprint) else { return false }
    }
    let students = (0..<experiment.students).map(RunFolder.studentName)
    guard students.allSatisfy(folder.hasNetwork), let results = try folder.readResults() else {
      return false
    }
    let scored = Set(results.rows.map(\.predictor))
    return scored.isSuperset(of: chains.map { .merged($0, isHard: false) })
      && scored.isSuperset(of: (0..<experiment.students).map { .student($0) })
  }

  /// Makes the folder of the members, or finds it there with as many as it has.
  fileprivate func prepareSharedMembers() throws {
    _ = try job.onRoot {
      try folder.prepareMembers(for: experiment)
      try recordShards()
    }
  }
}

extension RunFolder {
  /// The plan of the study that the folder holds, if it holds one.
  func readStudyPlan() throws -> StudyPlan? {
    try readRecord(StudyPlan.self, "study.json", version: StudyPlan.currentVersion)
  }

  /// The run folder of a study's members that are coupled.
  func coupled(seed: UInt64, by coupling: Coupling) -> RunFolder {
    RunFolder("\(path("seed-\(seed)"))/\(coupling.description)", membersOf: nil)
  }

  /// The run folder of a study's cell, whose members are the seed's.
  func cell(seed: UInt64, size: Int) -> RunFolder {
    let digits = String(size)
    let number = String(repeating: "0", count: max(3 - digits.count, 0)) + digits
    let seed = path("seed-\(seed)")
    return RunFolder("\(seed)/M-\(number)", membersOf: seed)
  }
}
