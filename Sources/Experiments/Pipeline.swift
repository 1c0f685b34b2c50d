import MPI
import Merging

extension Session {
  /// The whole experiment: train, merge, distil, evaluate, report.
  ///
  /// - Parameter chains: the ways to merge.
  /// - Returns: the results, on rank 0; nil elsewhere.
  /// - Throws: `JointFailure`, on every rank.
  public func runAll(merging chains: [MergeChain]) throws -> Results? {
    let members = try trainMembers()
    try merge(members, by: chains)
    try distill(members)
    let results = try evaluate()
    try close()
    try writeReport()
    return results
  }

  /// Writes `report.html` from what the folder holds.
  ///
  /// - Throws: `JointFailure`, on every rank.
  public func writeReport() throws {
    _ = try onRoot { try Report(folder, experiment).write() }
  }

  /// Prints the results and names the report, on rank 0.
  ///
  /// - Parameter results: what ``evaluate()`` returned.
  public func printTable(_ results: Results?) {
    guard isRoot, let results else { return }
    print("\n\(resultsTable(results, experiment))")
    if folder.exists("report.html") { print("\nReport: \(folder.path)/report.html") }
  }
}
