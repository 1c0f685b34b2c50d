/// An error that knows the status its process should exit with.
public protocol ExitStatusProviding: Error {
  /// What the process returns to its caller; not 0.
  var exitStatus: Int32 { get }
}

/// What every rank throws when work that they did together failed on any of them.
///
/// It has been agreed on and reported (once, on standard error, by the communicator's rank 0) when it is thrown:
/// pass it on, and do not print it.
public struct JointFailure: Error, ExitStatusProviding, CustomStringConvertible, Equatable {
  /// The highest status of all failures.
  public let exitStatus: Int32
  /// What each rank that failed said, by its rank in the world.
  public let messages: [Int: String]
  /// Whether all ranks of the world throw this; otherwise the others know nothing of it yet.
  public let isWorldwide: Bool

  /// The messages as they were reported, a line each.
  public let description: String
}

/// One rank's part of a failure, as it travels.
struct Failure: Codable, Equatable {
  var rank: Int
  var host: String
  /// `nil` where the rank's own work succeeded.
  var message: String?
  /// Whether an inner agreement has told the user already.
  var isReported = false
}

extension Failure {
  /// The lines that tell a user what went wrong: each message once, with who says so.
  ///
  /// A message that all ranks share stands alone; they met the same cause, a missing file for
  /// instance, and naming them all would hide it.
  static func report(_ failures: [Failure]) -> [String] {
    var order: [String] = []
    var speakers: [String: [Failure]] = [:]
    for failure in failures {
      guard let message = failure.message else { continue }
      if speakers[message] == nil { order.append(message) }
      speakers[message, default: []].append(failure)
    }
    return order.map { message in
      let group = speakers[message] ?? []
      guard group.count < failures.count else { return message }
      return "\(whereabouts(group)): \(message)"
    }
  }

  /// `rank 3 on host`, `ranks 1-3, 5 on host`, `ranks 1-3 on host, 4 on other`.
  private static func whereabouts(_ group: [Failure]) -> String {
    var hosts: [String] = []
    for failure in group where !hosts.contains(failure.host) { hosts.append(failure.host) }
    let places = hosts.map { host in
      "\(ranges(group.filter { $0.host == host }.map(\.rank))) on \(host)"
    }
    return (group.count == 1 ? "rank " : "ranks ") + places.joined(separator: ", ")
  }

  /// `1-3, 5`.
  private static func ranges(_ ranks: [Int]) -> String {
    var runs: [ClosedRange<Int>] = []
    for rank in ranks.sorted() {
      if let last = runs.last, last.upperBound + 1 == rank {
        runs[runs.count - 1] = last.lowerBound...rank
      } else {
        runs.append(rank...rank)
      }
    }
    return runs.map { run in
      run.count == 1 ? "\(run.lowerBound)" : "\(run.lowerBound)-\(run.upperBound)"
    }.joined(separator: ", ")
  }
}
