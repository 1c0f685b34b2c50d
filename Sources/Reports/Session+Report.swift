import Experiments
import MPI

extension Session {
  /// Writes `report.html` from what the folder holds.
  ///
  /// - Throws: `JointFailure`, on every rank.
  public func writeReport() throws {
    _ = try job.onRoot { try Report(folder, experiment).write() }
  }

  /// Prints the results and names the report, on rank 0.
  ///
  /// - Parameter results: what `evaluate` returned.
  public func printTable(_ results: Results?) {
    guard job.isRoot, let results else { return }
    print("\n\(resultsTable(results, experiment))")
    if folder.exists("report.html") { print("\nReport: \(folder.path)/report.html") }
  }
}

extension Study {
  /// Writes a study's tables and page anew from what its cells hold.
  ///
  /// - Parameters:
  ///   - path: a folder.
  ///   - world: all ranks.
  /// - Returns: whether the folder is a study's; nothing is written to another.
  /// - Throws: `JointFailure`, on every rank.
  public static func writeReport(at path: String, in world: Communicator) throws -> Bool {
    var isStudy = [0]
    try world.together {
      guard world.isRoot, let table = try StudyTable(at: RunFolder(path)) else { return }
      try table.write()
      try table.writePage()
      isStudy = [1]
    }
    try world.broadcast(&isStudy, from: 0, phase: "study")
    return isStudy == [1]
  }
}

extension StudyTable {
  /// Writes `study.html`.
  public func writePage() throws {
    try folder.writeText(StudyReport(self).html, "study.html")
  }
}
