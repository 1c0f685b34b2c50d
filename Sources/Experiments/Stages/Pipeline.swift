import MPI
import Merging

extension Session {
  /// The whole experiment: train, merge, distil, evaluate.
  ///
  /// - Parameter chains: the ways to merge.
  /// - Returns: the results, on rank 0; nil elsewhere.
  /// - Throws: `JointFailure`, on every rank.
  public func runAll(merging chains: [MethodChain]) throws -> Results? {
    let members = try trainMembers()
    try merge(members, by: chains)
    try distill(members)
    let results = try evaluate()
    try close()
    return results
  }
}
