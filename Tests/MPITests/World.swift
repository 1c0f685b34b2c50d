import Foundation
import Testing

@testable import MPI

/// All ranks: one under `swift test`, n under `mpirun -n n` of the same bundle.
///
/// Every rank runs every test in the same order, so a test may communicate. Test runners move between
/// threads, hence the thread level.
@MainActor let world: Communicator = {
  do {
    let world = try MPI.initialize(threads: .serialized)
    atexit { MPI.finalize() }
    return world
  } catch {
    fatalError("\(error)")
  }
}()

/// The tests that communicate, one after the other in the order of the source on every rank.
///
/// Serialising each suite for itself is not enough: suites would overlap, in another order on each rank.
@Suite(.serialized) enum WorldTests {}

/// Runs `body` once with a communicator for each chunk size worth testing.
///
/// 7 bytes divide no scalar's size, so elements are split; the default moves everything in one piece.
@MainActor func forEachChunkSize(_ body: (Communicator) throws -> Void) throws {
  for chunkBytes in [7, 1 << 28] {
    let communicator = try world.duplicate()
    communicator.chunkBytes = chunkBytes
    try body(communicator)
  }
}

/// A scalar that tests can count up in.
protocol TestScalar: MPIScalar, Equatable {
  init(truncatingIfNeeded value: Int)
}

extension Float: TestScalar {
  init(truncatingIfNeeded value: Int) { self = Self(value) }
}

extension Double: TestScalar {
  init(truncatingIfNeeded value: Int) { self = Self(value) }
}

extension Int: TestScalar {}
extension UInt: TestScalar {}
extension Int8: TestScalar {}
extension Int16: TestScalar {}
extension Int32: TestScalar {}
extension Int64: TestScalar {}
extension UInt8: TestScalar {}
extension UInt16: TestScalar {}
extension UInt32: TestScalar {}
extension UInt64: TestScalar {}

/// Values that tell ranks and positions apart, so that a swapped or shifted piece shows.
func values<S: TestScalar>(_ count: Int, rank: Int, as _: S.Type = S.self) -> [S] {
  (0..<count).map { S(truncatingIfNeeded: rank * 31 + $0 * 7 + 1) }
}

/// A length for each rank, zero among them.
func length(ofRank rank: Int) -> Int { [3, 0, 1000, 1, 7][rank % 5] }

extension MPIError {
  /// Whether the error is of a class of MPI's and begins with the library's own text for it.
  func isInWords(of errorClass: Int32) -> Bool {
    self.errorClass == errorClass && message.hasPrefix(MPI.text(of: errorClass))
  }
}

let counts = [0, 1, 7, 1000]
