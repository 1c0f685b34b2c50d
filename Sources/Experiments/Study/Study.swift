import Foundation
import MPI
import Merging
import Networks

/// One plan at work on a study's folder, on every rank at once.
///
/// `seed-S/` is a run folder with the members of the largest size; `seed-S/M-008/` is a cell, a run folder that uses the
/// first 8 of them. Whatever is there already is kept, so a study goes on where it stopped, and may grow: further
/// sizes, seeds and ways to merge.
public final class Study {
  private let world: Communicator
  private let folder: RunFolder
  private let plan: StudyPlan
  private let dataFolder: String?
  private let threads: Int?

  /// Work that this call has done, and what may be left, in units of members; what was there already is neither.
  private var workDone = 0
  private var workLeft = 0
  private var secondsWorked = 0.0

  /// A study in a folder, which is made if need be.
  ///
  /// - Throws: `JointFailure`, on every rank, if the plan cannot work, or the folder holds another study.
  public init(
    _ plan: StudyPlan, at path: String, in world: Communicator, dataFolder: String?, threads: Int?
  ) throws {
    self.world = world
    self.plan = plan
    self.dataFolder = dataFolder
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

  /// Trains what is missing, merges, distils and scores it cell by cell, and writes the tables and the page after each.
  ///
  /// - Returns: the table, on rank 0; nil elsewhere.
  /// - Throws: `JointFailure`, on every rank.
  public func run() throws -> StudyTable? {
    workLeft = plan.seeds.count * plan.sizes.reduce(0, +)
    var data: Session?
    for seed in plan.seeds {
      let session = try Session.forStudy(
        plan.experiment(seed: seed, members: plan.experiment.members), in: world,
        folder: RunFolder(folder.path("seed-\(seed)")), dataFolder: dataFolder, threads: threads,
        sharingDataOf: data)
      data = data ?? session
      if seed == plan.seeds[0] {
        // After the data was looked at, so that a mistake leaves nothing behind.
        _ = try session.onRoot {
          try folder.make(folder.path)
          try folder.writeJSON(plan, "study.json")
        }
      }
      try session.prepareSharedMembers()
      let members = try session.trainMembers()
      try session.close()
      for size in plan.sizes {
        note(seed, size)
        let start = ContinuousClock.now
        if try runCell(seed, size, members: members, sharingDataOf: session) {
          workDone += size
          secondsWorked += (ContinuousClock.now - start).seconds
        }
        workLeft -= size
        _ = try session.onRoot { try StudyTable(folder, plan).write(to: folder) }
      }
    }
    return try data?.onRoot { try StudyTable(folder, plan) }
  }

  /// Writes a study's tables and page anew from what its cells hold.
  ///
  /// - Parameters:
  ///   - path: a folder.
  ///   - world: all ranks.
  /// - Returns: whether the folder is a study's; nothing is written to another.
  /// - Throws: `JointFailure`, on every rank.
  public static func writeReport(at path: String, in world: Communicator) throws -> Bool {
    let folder = RunFolder(path)
    var isStudy = [0]
    try world.together {
      guard world.isRoot, let plan = try folder.readStudyPlan() else { return }
      try StudyTable(folder, plan).write(to: folder)
      isStudy = [1]
    }
    try world.broadcast(&isStudy, from: 0, phase: "study")
    return isStudy == [1]
  }

  /// Does what is missing of a cell.
  ///
  /// - Returns: whether anything was.
  private func runCell(
    _ seed: UInt64, _ size: Int, members: [Network]?, sharingDataOf seedSession: Session
  ) throws -> Bool {
    let session = try Session.forStudy(
      plan.experiment(seed: seed, members: size), in: world,
      folder: folder.cell(seed: seed, size: size), dataFolder: dataFolder, threads: threads,
      sharingDataOf: seedSession)
    let chains = plan.chains(at: size)
    _ = try session.onRoot { try session.prepareCell() }
    var missing = try session.onRoot { session.missing(chains) } ?? []
    try world.broadcast(&missing, from: 0, phase: "study")
    // The chains, whether students are to be distilled, and whether anything is to be scored.
    let own = members.map { Array($0.prefix(size)) }
    let left = zip(chains, missing).filter { $0.1 == 1 }.map(\.0)
    if !left.isEmpty { try session.merge(own, by: left) }
    if missing[chains.count] == 1 { try session.distill(own) }
    guard missing.contains(1) else { return false }
    _ = try session.evaluate(withLines: false)
    try session.close()
    return true
  }

  /// Tells which cell is next, and how long all may take.
  private func note(_ seed: UInt64, _ size: Int) {
    guard world.isRoot else { return }
    let left =
      workDone > 0
      ? ", about \(readableDuration(secondsWorked / Double(workDone) * Double(workLeft))) left in all"
      : ""
    ProgressLine.note("study: seed \(seed), M = \(size)\(left)")
  }
}

extension Session {
  /// Which of a cell's chains, students and scores are not there: a 1 for each that is missing.
  ///
  /// - Returns: one number for each chain, one for the students, one for the scores.
  fileprivate func missing(_ chains: [MergeChain]) -> [Int] {
    var result = chains.map { folder.hasNetwork(RunFolder.mergedName($0.name)) ? 0 : 1 }
    let students = (0..<experiment.students).map(RunFolder.studentName)
    result.append(students.allSatisfy(folder.hasNetwork) ? 0 : 1)
    let scored = Set(((try? folder.readResults()) ?? nil)?.rows.map(\.name) ?? [])
    let wanted = chains.map(\.name) + (0..<experiment.students).map { "student \($0)" }
    result.append(scored.isSuperset(of: wanted) && !scored.isEmpty ? 0 : 1)
    return result
  }

  /// Makes the cell's folder, or finds it with what of it still holds.
  fileprivate func prepareCell() throws {
    try folder.prepare(for: experiment, keepingLaterStages: false)
  }

  /// Makes the folder of the members, or finds it there with as many as it has.
  fileprivate func prepareSharedMembers() throws {
    _ = try onRoot { try folder.prepareMembers(for: experiment) }
  }
}

extension RunFolder {
  /// The plan of the study that the folder holds, if it holds one.
  func readStudyPlan() throws -> StudyPlan? { try readJSON(StudyPlan.self, "study.json") }

  /// The run folder of a study's cell, whose members are the seed's.
  func cell(seed: UInt64, size: Int) -> RunFolder {
    let digits = String(size)
    let number = String(repeating: "0", count: max(3 - digits.count, 0)) + digits
    let seed = path("seed-\(seed)")
    return RunFolder("\(seed)/M-\(number)", membersOf: seed)
  }

  /// Makes the folder for the members of an experiment; one that has more or fewer of the same is made use of.
  func prepareMembers(for experiment: Experiment) throws {
    var experiment = experiment
    try requireOwn(Self.folders)
    if exists("experiment.json") {
      let there = try readExperiment()
      var same = experiment.adoptingLaterStages(of: there)
      same.members = there.members
      let differences = same.differences(from: there)
      guard differences.isEmpty else {
        throw UsageError(
          "\(path): holds members of another experiment (\(differences.joined(separator: "; ")));"
            + " choose another --output, or remove the folder")
      }
      let wanted = experiment.members
      experiment = there
      experiment.members = max(there.members, wanted)
    }
    try make(path)
    try writeJSON(experiment, "experiment.json")
    for folder in Self.folders { try make(path(folder)) }
  }
}
