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
  private let lastShown: Mutex<ContinuousClock.Instant?> = Mutex(nil)

  /// A line for some work.
  ///
  /// - Parameters:
  ///   - label: what is being done.
  ///   - isSilent: whether nothing is written, as on every rank but the first.
  init(_ label: String, isSilent: Bool) {
    self.label = label
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
    let isDue = lastShown.withLock { last in
      guard now - (last ?? start) >= interval else { return false }
      last = now
      return true
    }
    guard isDue else { return }
    let elapsed = (now - start).seconds
    let left = elapsed / Double(done) * Double(total - done)
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
