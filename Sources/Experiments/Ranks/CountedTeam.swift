import Networks
import Synchronization

/// A team that counts how often its workers send something up that is waited for: the rounds of messages that a method needs,
/// however many workers there are.
///
/// What comes back down is of the same round.
struct CountedTeam: Team {
  /// Counts of a rank's calls.
  final class Count: Sendable {
    private let stored = Mutex(0)

    var value: Int { stored.withLock { $0 } }
    fileprivate func add() { stored.withLock { $0 += 1 } }
  }

  private let team: any Team
  let count = Count()

  /// Counts the calls of a team.
  init(_ team: any Team) { self.team = team }

  var size: Int { team.size }
  var rank: Int { team.rank }
  var threads: Int { team.threads }

  func map<Element: BitwiseCopyable & Sendable>(
    _ count: Int, phase: String, _ body: @Sendable (Int) throws -> [Element]
  ) throws -> [[Element]] {
    // One part is the first worker's: it goes down only.
    if count > 1 { self.count.add() }
    return try team.map(count, phase: phase, body)
  }

  func sum(
    _ count: Int, of length: Int, phase: String, _ body: @Sendable (Int) throws -> [Double]
  ) throws -> [Double] {
    self.count.add()
    return try team.sum(count, of: length, phase: phase, body)
  }

  func reduce<Element: BitwiseCopyable & Sendable, Combined: BitwiseCopyable & Sendable>(
    _ count: Int, of length: Int, phase: String, _ body: @Sendable (Int) throws -> [Element],
    _ combine: ([ArraySlice<Element>]) -> [Combined]
  ) throws -> [Combined] {
    self.count.add()
    return try team.reduce(count, of: length, phase: phase, body, combine)
  }
}
