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
    var bytes: [UInt8] = []
    let stride = MemoryLayout<Element>.stride
    bytes.reserveCapacity(own.reduce(0) { $0 + $1.count } * stride)
    for part in own { part.withUnsafeBytes { bytes.append(contentsOf: $0) } }
    let gathered = try world.allgatherV(bytes, phase: phase)
    var starts = [Int](repeating: 0, count: size)
    return (0..<count).map { part in
      let rank = worker(of: part)
      let length = allLengths[rank * most + part / size]
      defer { starts[rank] += length * stride }
      return [Element](unsafeUninitializedCapacity: length) { out, initialized in
        gathered[rank].withUnsafeBytes { bytes in
          UnsafeMutableRawBufferPointer(out).copyMemory(
            from: UnsafeRawBufferPointer(
              rebasing: bytes[starts[rank]..<starts[rank] + length * stride]))
        }
        initialized = length
      }
    }
  }

  func sum(
    _ count: Int, of length: Int, phase: String, _ body: @Sendable (Int) throws -> [Double]
  ) throws -> [Double] {
    let own = try compute(count, body)
    // Ranks that are done leave their core to those that are not.
    try world.idleBarrier(phase: "waiting for the last statistics")
    let gathered = try world.gatherV(Array(own.joined()), to: 0, phase: phase)
    var sum: [Double] = []
    if let gathered {
      sum = total(
        (0..<count).map { part in
          let place = part / size * length
          return gathered[worker(of: part)][place..<place + length]
        }, count: length)
    }
    try world.broadcast(&sum, from: 0, phase: phase)
    return sum
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
