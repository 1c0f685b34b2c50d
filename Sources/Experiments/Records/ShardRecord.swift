/// Which images members have, where each has its own: `shards.json` of a run folder.
package struct ShardRecord: Codable, Equatable, Sendable {
  var version = 1

  /// How many images each member has.
  package let sizes: [Int]

  /// Of each member, how many images of each class; empty where nobody but the member's rank knows.
  package let classes: [[Int]]

  init(sizes: [Int], classes: [[Int]]) {
    self.sizes = sizes
    self.classes = classes
  }
}
