import Synchronization

/// Counts how often each index was visited, from any thread.
final class SeenIndices: Sendable {
  private let counts: Mutex<[Int]>

  init(_ count: Int) { counts = Mutex(Array(repeating: 0, count: count)) }

  func visit(_ index: Int) { counts.withLock { $0[index] += 1 } }

  var visits: [Int] { counts.withLock { $0 } }
}
