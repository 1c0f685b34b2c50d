/// What it took to make networks, in messages: `costs.json` of a run folder.
package struct Costs: Codable, Equatable, Sendable {
  var version = 1

  /// By checkpoint without ending, as `merged/naive`; `members` for all members that were coupled.
  package var entries: [String: Cost] = [:]

  init() {}

  /// Messages between ranks, from training that told nobody anything to the network on rank 0.
  package struct Cost: Codable, Equatable, Sendable {
    /// How many ranks there were, on which the bytes depend.
    package var ranks: Int

    /// How often all ranks had to hear of each other.
    package var rounds: Int

    /// The payload of all ranks together, as their ledgers have it.
    package var bytes: Int
  }
}
