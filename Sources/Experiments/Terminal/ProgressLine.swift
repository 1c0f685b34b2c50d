import Foundation
import Synchronization

/// How far a piece of long work is, with the time left; only rank 0 has one that writes.
///
/// In a terminal the line is rewritten in place; elsewhere a plain line appears every ten seconds. Several threads
/// may tell it how far they are.
final class ProgressLine: Sendable {
  private let label: String
  private let isSilent: Bool
  private let isLive: Bool
  private let start = ContinuousClock.now
  private let clock: Mutex<Clock>

  /// What the time left is told from.
  private struct Clock {
    var lastShown = ContinuousClock.now
    /// When the present stretch of steps began, after how many, and how many there were to be: a chain of methods has
    /// one stretch a method, and what the first took says nothing of the second.
    var began = ContinuousClock.now
    var doneBefore = 0
    var (done, total) = (0, 0)
  }

  /// A line for some work.
  ///
  /// - Parameters:
  ///   - label: what is being done.
  ///   - isSilent: whether nothing is written, as on every rank but the first.
  init(_ label: String, isSilent: Bool) {
    self.label = label
    clock = Mutex(Clock())
    self.isSilent = isSilent
    // mpirun puts a pipe between a rank and the terminal; the scripts say when there is one.
    isLive =
      isatty(STDERR_FILENO) == 1 || ProcessInfo.processInfo.environment["PERMAVG_LIVE"] == "1"
    if !isSilent, !isLive { write("\(label) …\n") }
  }

  /// Tells how many steps are done.
  func update(_ done: Int, of total: Int) {
    guard !isSilent, done < total else { return }
    let now = ContinuousClock.now
    let interval: Duration = isLive ? .milliseconds(200) : .seconds(10)
    let left = clock.withLock { clock -> Double? in
      if total != clock.total || done < clock.done {
        (clock.doneBefore, clock.began) = (done, now)
      }
      (clock.done, clock.total) = (done, total)
      guard now - clock.lastShown >= interval, done > clock.doneBefore else { return nil }
      clock.lastShown = now
      return (now - clock.began).seconds / Double(done - clock.doneBefore) * Double(total - done)
    }
    guard let left else { return }
    let text = "\(label): \(100 * done / total) %, \(readableDuration(left)) left"
    write(isLive ? "\r\u{1B}[K\(text)" : "\(text)\n")
  }

  /// Ends the line with what came of the work.
  func finish(_ summary: String = "") {
    guard !isSilent else { return }
    let seconds = readableDuration((ContinuousClock.now - start).seconds)
    let text = "\(label): \(summary.isEmpty ? "" : summary + ", ")\(seconds)"
    write(isLive ? "\r\u{1B}[K\(text)\n" : "\(text)\n")
  }

  /// Tells one thing that takes no time.
  static func note(_ text: String) { write("\(text)\n") }

  private func write(_ text: String) { Self.write(text) }

  private static func write(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }
}

extension Duration {
  /// The duration in seconds.
  package var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
