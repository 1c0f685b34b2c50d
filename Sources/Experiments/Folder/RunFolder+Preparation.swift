import Foundation

extension RunFolder {
  /// The folders that networks lie in.
  static let folders = ["members", "merged", "students"]

  /// Makes the folder for an experiment, or finds it already there.
  ///
  /// Settings of distillation may change, and students that were made with others go; the members' may not.
  ///
  /// - Parameters:
  ///   - experiment: what the folder is to be about.
  ///   - keepsLaterStages: whether settings of distillation stay as the folder has them.
  /// - Returns: what the folder is about.
  /// - Throws: ``UsageError`` if the folder holds another experiment or other things, ``RunFolderError`` if
  ///   its `members/`, `merged/` or `students/` is a link.
  @discardableResult
  func prepare(
    for experiment: Experiment, keepingLaterStages keepsLaterStages: Bool
  ) throws -> Experiment {
    var experiment = experiment
    try requireOwn(Self.folders)
    if exists("experiment.json") {
      let there = try readExperiment()
      if keepsLaterStages { experiment = experiment.adoptingLaterStages(of: there) }
      try require(experiment.differences(from: there.adoptingLaterStages(of: experiment)))
      if there.distillation != experiment.distillation { try empty(["students"]) }
    } else if let contents = try? FileManager.default.contentsOfDirectory(atPath: path),
      !contents.isEmpty
    {
      throw UsageError(
        "\(path): holds \(contents.count) other files (\(contents.sorted()[0]) …) and no"
          + " experiment.json; choose another --output")
    }
    try make(path)
    // First of all, so that whatever comes later is known to be ours.
    try writeJSON(experiment, "experiment.json")
    for folder in Self.folders { try make(path(folder)) }
    return experiment
  }

  /// Makes the folder for the members of a study's seed; one that has more or fewer of the same is made use of.
  func prepareMembers(for experiment: Experiment) throws {
    let experiment = try checkMembers(for: experiment)
    try requireOwn(Self.folders)
    try make(path)
    try writeJSON(experiment, "experiment.json")
    for folder in Self.folders { try make(path(folder)) }
  }

  /// Checks that the folder could be made for the members of a study's seed.
  ///
  /// - Returns: what it would be about.
  /// - Throws: ``UsageError`` if it holds members of another experiment.
  @discardableResult
  func checkMembers(for experiment: Experiment) throws -> Experiment {
    guard exists("experiment.json") else { return experiment }
    let there = try readExperiment()
    var same = experiment.adoptingLaterStages(of: there)
    if experiment.shards == nil { same.members = there.members }
    if same.data == nil { same.data = there.data }
    try require(same.differences(from: there))
    var result = there
    result.members = max(there.members, experiment.members)
    return result
  }

  private func require(_ differences: [String]) throws(UsageError) {
    guard differences.isEmpty else {
      throw UsageError(
        "\(path): holds another experiment (\(differences.joined(separator: "; ")));"
          + " choose another --output, or remove the folder")
    }
  }
}
