import MPI
import Networks
import Tensors

/// The ranks of a job as a team: part p is computed by rank p mod R, on its threads.
struct RankTeam: Team {
  // MPI stays on the thread that asks; parts are computed on others, which send nothing.
  nonisolated(unsafe) private let world: Communicator
  let threads: Int

  var size: Int { world.size }
  var rank: Int { world.rank }

  /// All ranks of a communicator.
  init(_ world: Communicator, threads: Int) {
    self.world = world
    self.threads = threads
  }

  func map<Element: BitwiseCopyable & Sendable>(
    _ count: Int, phase: String, _ body: @Sendable (Int) throws -> [Element]
  ) throws -> [[Element]] {
    let own = try compute(count, body)
    // A fixed number a rank, so that lengths need no counts of their own.
    let most = (count + size - 1) / size
    var lengths = [Int](repeating: 0, count: most)
    for (place, part) in own.enumerated() { lengths[place] = part.count }
    let allLengths = try world.allgather(lengths, phase: phase)
    let stride = MemoryLayout<Element>.stride
    let counts = (0..<size).map { rank in
      stride * allLengths[rank * most..<(rank + 1) * most].reduce(0, +)
    }
    let gathered = try world.allgather(bytes(of: own), knowing: counts, phase: phase)
    var starts = counts.indices.map { counts[..<$0].reduce(0, +) }
    return (0..<count).map { part in
      let rank = worker(of: part)
      guard rank != self.rank else { return own[part / size] }
      let length = allLengths[rank * most + part / size]
      defer { starts[rank] += length * stride }
      return elements(
        gathered[starts[rank]..<starts[rank] + length * stride], of: Element.self)
    }
  }

  func sum(
    _ count: Int, of length: Int, phase: String, _ body: @Sendable (Int) throws -> [Double]
  ) throws -> [Double] {
    let own = try compute(count, body)
    // Ranks that are done leave their core to those that are not.
    try world.idleBarrier(phase: "waiting for the last statistics")
    return try reduce(own, count, of: length, phase: phase) { total($0, count: length) }
  }

  func reduce<Element: BitwiseCopyable & Sendable, Combined: BitwiseCopyable & Sendable>(
    _ count: Int, of length: Int, phase: String, _ body: @Sendable (Int) throws -> [Element],
    _ combine: ([ArraySlice<Element>]) -> [Combined]
  ) throws -> [Combined] {
    try reduce(try compute(count, body), count, of: length, phase: phase, combine)
  }

  private func reduce<Element: BitwiseCopyable & Sendable, Combined: BitwiseCopyable & Sendable>(
    _ own: [[Element]], _ count: Int, of length: Int, phase: String,
    _ combine: ([ArraySlice<Element>]) -> [Combined]
  ) throws -> [Combined] {
    let gathered = try world.gatherV(bytes(of: own), to: 0, phase: phase)
    var result: [UInt8] = []
    if let gathered {
      let ranks = gathered.map { elements($0[...], of: Element.self) }
      let parts = (0..<count).map { part in
        let place = part / size * length
        return ranks[worker(of: part)][place..<place + length]
      }
      result = bytes(of: [combine(parts)])
    }
    try world.broadcast(&result, from: 0, phase: phase)
    return elements(result[...], of: Combined.self)
  }

  private func bytes<Element: BitwiseCopyable>(of parts: [[Element]]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(parts.reduce(0) { $0 + $1.count } * MemoryLayout<Element>.stride)
    for part in parts { part.withUnsafeBytes { bytes.append(contentsOf: $0) } }
    return bytes
  }

  private func elements<Element: BitwiseCopyable>(
    _ bytes: ArraySlice<UInt8>, of _: Element.Type
  ) -> [Element] {
    let count = bytes.count / MemoryLayout<Element>.stride
    return [Element](unsafeUninitializedCapacity: count) { out, initialized in
      bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(out).copyMemory(from: $0) }
      initialized = count
    }
  }

  /// This rank's parts; throws on all ranks if one of any throws.
  private func compute<Element: Sendable>(
    _ count: Int, _ body: @Sendable (Int) throws -> [Element]
  ) throws -> [[Element]] {
    let own = stride(from: rank, to: count, by: size).map(\.self)
    let results = concurrentMap(own.count, threads: threads) { place in
      Result { try body(own[place]) }
    }
    return try world.together { try results.map { try $0.get() } }
  }
}
