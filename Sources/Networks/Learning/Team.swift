import Tensors

/// Those who share work: the ranks of a job, or the threads of one process.
///
/// All members of a team run the same code on the same values, and meet in these calls: each part is computed by one of them, and
/// everybody gets every result, in the order of the parts. What comes out depends on neither how many there are nor how many
/// threads each has. ``worker(of:)`` tells who does which part, and who trained which member.
public protocol Team: Sendable {
  /// How many workers there are, and which this is.
  var size: Int { get }
  var rank: Int { get }

  /// How many threads this worker may compute with.
  var threads: Int { get }

  /// What `body` gives for every part, in order, on every worker.
  ///
  /// - Parameters:
  ///   - count: how many parts.
  ///   - phase: what the messages are for, as the ledger has it.
  ///   - body: computes a part, perhaps on another thread.
  /// - Returns: one array a part.
  /// - Throws: on every worker, if `body` throws on any.
  func map<Element: BitwiseCopyable & Sendable>(
    _ count: Int, phase: String, _ body: @Sendable (Int) throws -> [Element]
  ) throws -> [[Element]]

  /// The parts' numbers added element by element in the order of the parts, on every worker.
  ///
  /// - Parameters:
  ///   - count: how many parts.
  ///   - length: how many numbers each gives.
  ///   - phase: what the messages are for.
  ///   - body: computes a part.
  /// - Returns: `length` numbers.
  /// - Throws: on every worker, if `body` throws on any.
  func sum(
    _ count: Int, of length: Int, phase: String, _ body: @Sendable (Int) throws -> [Double]
  ) throws -> [Double]

  /// What one worker makes of all parts in order, on every worker: each part travels once, and the result to all.
  ///
  /// As `sum`, of numbers of any kind, for short parts: workers that are done wait busily for the last.
  ///
  /// - Parameters:
  ///   - count: how many parts.
  ///   - length: how many numbers each gives.
  ///   - phase: what the messages are for.
  ///   - body: computes a part.
  ///   - combine: makes the result of the parts; called on the first worker.
  /// - Returns: what `combine` returned.
  /// - Throws: on every worker, if `body` throws on any.
  func reduce<Element: BitwiseCopyable & Sendable, Combined: BitwiseCopyable & Sendable>(
    _ count: Int, of length: Int, phase: String, _ body: @Sendable (Int) throws -> [Element],
    _ combine: ([ArraySlice<Element>]) -> [Combined]
  ) throws -> [Combined]
}

extension Team {
  public func reduce<Element: BitwiseCopyable & Sendable, Combined: BitwiseCopyable & Sendable>(
    _ count: Int, of length: Int, phase: String, _ body: @Sendable (Int) throws -> [Element],
    _ combine: ([ArraySlice<Element>]) -> [Combined]
  ) throws -> [Combined] {
    let parts = try map(count, phase: phase, body)
    let combined = rank == 0 ? combine(parts.map { $0[...] }) : []
    return size == 1 ? combined : try map(1, phase: phase) { _ in combined }[0]
  }

  /// The worker who does a part, and who trains and holds the member of that number.
  public func worker(of part: Int) -> Int { Networks.worker(of: part, among: size) }
}

/// Who of some workers does a part, and trains and holds the member of that number: they are dealt out in turn.
public func worker(of part: Int, among size: Int) -> Int { part % size }

/// A team of one process, whose threads share the parts.
public struct ThreadTeam: Team {
  public let threads: Int
  public var size: Int { 1 }
  public var rank: Int { 0 }

  /// A team of some threads.
  public init(threads: Int = 1) { self.threads = threads }

  public func map<Element: BitwiseCopyable & Sendable>(
    _ count: Int, phase: String, _ body: @Sendable (Int) throws -> [Element]
  ) throws -> [[Element]] {
    try concurrentMap(count, threads: threads) { part in Result { try body(part) } }
      .map { try $0.get() }
  }

  public func sum(
    _ count: Int, of length: Int, phase: String, _ body: @Sendable (Int) throws -> [Double]
  ) throws -> [Double] {
    try reduce(count, of: length, phase: phase, body) { total($0, count: length) }
  }
}

/// Parts' numbers, added in the order of the parts.
///
/// - Parameters:
///   - parts: each of `count` numbers.
///   - count: how many numbers.
/// - Returns: `count` numbers.
public func total(_ parts: [ArraySlice<Double>], count: Int) -> [Double] {
  var result = [Double](repeating: 0, count: count)
  var sums = result.mutableSpan
  for part in parts {
    precondition(part.count == count, "a part of \(part.count) numbers among \(count)")
    let part = part.span
    for i in sums.indices { sums[i] += part[i] }
  }
  return result
}

/// A batch that several workers would share, of a network that keeps statistics of whole batches.
public struct SharedStatisticsError: Error, CustomStringConvertible {
  /// The first node that keeps some.
  let node: String

  public var description: String {
    "node \"\(node)\" keeps statistics of whole batches, and ranks that share a batch see a part each;"
      + " take networks without batch normalisation, or leave out what all ranks learn together"
  }
}
