import Foundation
import Networks
import Synchronization
import Tensors

@testable import Merging

/// One of several workers in one process, each a thread that runs the same code: ranks, without a cluster.
///
/// Computes every `size`th part, notes which, and gets the others' results at a meeting of all.
struct Worker: Team {
  let rank: Int
  let size: Int
  let threads: Int
  let meeting: Meeting
  let log = CallLog()

  func map<Element: BitwiseCopyable & Sendable>(
    _ count: Int, phase: String, _ body: @Sendable (Int) throws -> [Element]
  ) throws -> [[Element]] {
    let own = Array(stride(from: rank, to: count, by: size))
    let results = concurrentMap(own.count, threads: threads) { place in
      Result { try body(own[place]) }
    }
    log.append(CallLog.Call(phase: phase, count: count, own: own))
    let all = try meeting.exchange(
      Brought(phase: phase, count: count, results: results), from: rank)
    guard all.allSatisfy({ $0.phase == phase && $0.count == count }) else {
      throw MeetingError("workers make different calls: \(all.map { "\($0.phase) \($0.count)" })")
    }
    return try (0..<count).map { try all[$0 % size].results[$0 / size].get() }
  }

  func sum(
    _ count: Int, of length: Int, phase: String, _ body: @Sendable (Int) throws -> [Double]
  ) throws -> [Double] {
    total(try map(count, phase: phase, body).map { $0[...] }, count: length)
  }

  private struct Brought<Element: Sendable>: Sendable {
    let phase: String
    let count: Int
    let results: [Result<[Element], any Error>]
  }
}

/// The calls that a worker made.
final class CallLog: Sendable {
  struct Call: Equatable, Sendable {
    let phase: String
    let count: Int
    /// The parts that the worker computed.
    let own: [Int]
  }

  private let stored = Mutex([Call]())

  func append(_ call: Call) { stored.withLock { $0.append(call) } }
  var calls: [Call] { stored.withLock { $0 } }
}

struct MeetingError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// Where workers wait for one another and exchange values.
///
/// Unchecked `Sendable`: the condition guards everything.
final class Meeting: @unchecked Sendable {
  private let condition = NSCondition()
  private var brought: [(any Sendable)?]
  private var missing: Int
  private var round = 0
  private var last: [(any Sendable)?] = []
  private var isAbandoned = false

  init(size: Int) {
    brought = Array(repeating: nil, count: size)
    missing = size
  }

  /// What every worker brought, by rank, once all are there.
  func exchange<Value: Sendable>(_ value: Value, from rank: Int) throws -> [Value] {
    condition.lock()
    defer { condition.unlock() }
    let own = round
    brought[rank] = value
    missing -= 1
    if missing == 0 {
      // Nobody can come to the next round before all have read this one.
      last = brought
      missing = brought.count
      round += 1
      condition.broadcast()
    }
    while round == own, !isAbandoned { condition.wait() }
    guard round > own else { throw MeetingError("another worker has left") }
    let values = last.compactMap { $0 as? Value }
    guard values.count == last.count else { throw MeetingError("workers bring different things") }
    return values
  }

  /// Tells those who wait that one is not coming.
  func abandon() {
    condition.lock()
    isAbandoned = true
    condition.broadcast()
    condition.unlock()
  }
}

/// What each of some workers comes to when all run the same code.
func onWorkers<Value: Sendable>(
  _ size: Int, threads: Int = 1, _ body: @escaping @Sendable (Worker) throws -> Value
) -> [Result<Value, any Error>] {
  let meeting = Meeting(size: size)
  let results = Mutex([Result<Value, any Error>?](repeating: nil, count: size))
  let group = DispatchGroup()
  for rank in 0..<size {
    group.enter()
    Thread {
      let worker = Worker(rank: rank, size: size, threads: threads, meeting: meeting)
      let result = Result { try body(worker) }
      if case .failure = result { meeting.abandon() }
      results.withLock { $0[rank] = result }
      group.leave()
    }.start()
  }
  group.wait()
  return results.withLock { $0.compactMap(\.self) }
}

/// The surroundings of a worker: steps that are not shared are taken by the first alone.
struct WorkerSurroundings: ChainRunner.Surroundings {
  let worker: Worker
  let events = EventLog()

  /// What steps get, with the team that takes them.
  let resources: @Sendable (any Team) -> MergeResources

  var team: any Team { worker }
  var isSharded: Bool { resources(worker).isSharded }

  /// The members, for workers that began without.
  var allMembers: [Network] = []

  func members() -> [Network] {
    events.append("members")
    return allMembers
  }

  func resources(for method: MergeMethod, with team: any Team) -> MergeResources {
    events.append("\(method.name) by \(team.size)")
    return resources(team)
  }

  func prepare(for method: MergeMethod) { events.append("prepare \(method.name)") }

  func together(_ work: () throws -> Void) throws { try work() }

  func onRoot(_ work: (any Team) throws -> Void) throws {
    guard worker.rank == 0 else {
      if let problem = try worker.meeting.exchange(String?.none, from: worker.rank)[0] {
        throw MergeError(problem)
      }
      return
    }
    let result = Result { try work(ThreadTeam(threads: worker.threads)) }
    var problem: String?
    if case .failure(let error) = result { problem = "\(error)" }
    _ = try worker.meeting.exchange(problem, from: 0)
    try result.get()
  }

  func share(_ indices: [Int], _ numbers: [Float]) throws -> ([Int], [Float]) {
    events.append("share")
    let all = try worker.meeting.exchange(
      Arrays(indices: indices, numbers: numbers), from: worker.rank)
    return (all[0].indices, all[0].numbers)
  }

  private struct Arrays: Sendable {
    let indices: [Int]
    let numbers: [Float]
  }
}

/// What happened on a worker, in order.
final class EventLog: Sendable {
  private let stored = Mutex([String]())

  func append(_ event: String) { stored.withLock { $0.append(event) } }
  var events: [String] { stored.withLock { $0 } }
}

/// Samples that note which of them were read.
struct WatchedSamples: Samples {
  private let samples: SamplesInMemory
  private let log: ReadLog

  init(_ samples: SamplesInMemory, _ log: ReadLog) { (self.samples, self.log) = (samples, log) }

  var count: Int { samples.count }
  var features: Int { samples.features }
  var labels: [Int] { samples.labels }

  func write(_ range: Range<Int>, into inputs: inout [Float]) {
    log.append(range)
    samples.write(range, into: &inputs)
  }
}

/// Batches that note which samples were read.
struct WatchedBatches: BatchSource {
  private var source: RandomBatches
  private let log: ReadLog

  init(_ source: RandomBatches, _ log: ReadLog) { (self.source, self.log) = (source, log) }

  var batchSize: Int { source.batchSize }
  var batchesPerEpoch: Int { source.batchesPerEpoch }
  var features: Int { source.features }
  var sampleCount: Int { source.sampleCount }

  mutating func startEpoch(_ epoch: Int) { source.startEpoch(epoch) }

  func fill(_ batch: inout Batch, with index: Int, rows: Range<Int>) {
    let start = index * batchSize
    let rows = rows.clamped(to: 0..<count(ofBatch: index))
    log.append(start + rows.lowerBound..<start + rows.upperBound)
    source.fill(&batch, with: index, rows: rows)
  }
}

/// Samples that were read, in runs.
final class ReadLog: Sendable {
  private let stored = Mutex([Range<Int>]())

  func append(_ range: Range<Int>) { stored.withLock { $0.append(range) } }

  /// How often each sample was read.
  func reads(of count: Int) -> [Int] {
    stored.withLock { ranges in
      var reads = [Int](repeating: 0, count: count)
      for range in ranges { for sample in range { reads[sample] += 1 } }
      return reads
    }
  }
}
