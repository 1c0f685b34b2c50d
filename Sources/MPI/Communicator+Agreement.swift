import CMPI

/// What a rank is about to do, as far as all ranks must have been asked for the same.
struct Call {
  let name: String
  let phase: String
  var root = 0
  var type = 0
  var count = 0

  init(_ name: String, phase: String, root: Int = 0) {
    self.name = name
    self.phase = phase
    self.root = root
  }

  /// A call that moves elements of type `S`; `count` where it must be equal on all ranks.
  init<S: MPIScalar>(_ name: String, _: S.Type, phase: String, root: Int = 0, count: Int = 0) {
    self.init(name, phase: phase, root: root)
    type = S.signature
    self.count = count
  }

  /// A number for the operation and its phase (FNV-1a), kept to 62 bits so that it can be negated.
  var site: Int {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in "\(name)\n\(phase)".utf8 {
      hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
    }
    return Int(hash >> 2)
  }
}

extension MPIScalar {
  /// The type's number and size in one: equal on all ranks exactly when the types match.
  static var signature: Int { Int(mpi_type_number(mpiType)) << 8 + MemoryLayout<Self>.stride }
}

extension Communicator {
  /// The bytes of the all-reduce in front of every blocking collective: eleven 64-bit integers.
  static var agreementBytes: Int { 11 * MemoryLayout<Int64>.size }

  /// Compares `call` over all ranks and returns the largest `value`, in one all-reduce.
  ///
  /// No rank can have the result before every rank has contributed, so this is the barrier in front
  /// of the operation as well: its time is entered as waiting. The exchange has the same shape
  /// for every operation, so ranks in different ones meet here and learn of it instead of hanging.
  @discardableResult
  func agree(on call: Call, value: Int = 0) throws(MPIError) -> Int {
    assert(MPI.isOnItsThread, "MPI was started for one thread, and this is another one")
    let compared = [call.site, call.root, call.type, chunkBytes, call.count]
    // A maximum of x and of -x is a maximum and a minimum in one operation.
    let mine = (compared + compared.map { 0 - $0 } + [value]).map(Int64.init)
    var all = [Int64](repeating: 0, count: mine.count)
    let start = MPI_Wtime()
    let code = MPI_Allreduce(mine, &all, Int32(mine.count), mpi_int64(), mpi_max(), raw)
    ledger[call.phase].secondsWaiting += MPI_Wtime() - start
    ledger[call.phase].calls += 1
    ledger[call.phase].controlBytesSent += Self.agreementBytes * (size - 1)
    ledger[call.phase].controlBytesReceived += Self.agreementBytes * (size - 1)
    try check(code, "MPI_Allreduce", phase: call.phase)

    for (index, difference) in Difference.all.enumerated() {
      let (largest, smallest) = (all[index], -all[index + compared.count])
      guard largest == smallest else {
        throw MPIError(
          code: difference.errorClass, errorClass: difference.errorClass, call: call.name,
          message: difference.message(smallest: smallest, largest: largest, mine: mine[index]),
          rank: worldRank, phase: call.phase)
      }
    }
    guard (0..<size).contains(call.root) else {
      throw invalid(
        MPI_ERR_ROOT, call.name, phase: call.phase,
        "root \(call.root) is not among the \(size) ranks")
    }
    return Int(all[2 * compared.count])
  }
}

/// How ranks can contradict each other, in the order in which ``Communicator/agree(on:value:)`` compares.
private struct Difference {
  let errorClass: Int32
  let noun: String?

  static let all = [
    // First: ranks in different operations differ in everything else as well.
    Difference(errorClass: MPI_ERR_OTHER, noun: nil),
    Difference(errorClass: MPI_ERR_ROOT, noun: "root"),
    Difference(errorClass: MPI_ERR_TYPE, noun: "element type"),
    Difference(errorClass: MPI_ERR_ARG, noun: "chunkBytes"),
    Difference(errorClass: MPI_ERR_COUNT, noun: "count"),
  ]

  func message(smallest: Int64, largest: Int64, mine: Int64) -> String {
    guard let noun else {
      return "the ranks are in different operations or phases; each reports its own"
    }
    return MPI.text(of: errorClass)
      + ": the ranks disagree on the \(noun): from \(smallest) to \(largest), \(mine) on this rank"
  }
}
