import Testing

@testable import MPI

extension WorldTests {
  @MainActor @Suite struct LedgerTests {
    /// This rank's and all ranks' records of what `work` enters under the phase "figures".
    private func figures(
      chunkBytes: Int = 7, _ work: (Communicator) throws -> Void
    ) throws -> (mine: PhaseRecord, all: [PhaseRecord]?) {
      let communicator = try world.duplicate()
      communicator.chunkBytes = chunkBytes
      world.ledger.remove("figures")
      try work(communicator)
      let mine = try #require(world.ledger.record(of: "figures"))
      let all = try world.collectLedger()
      return (mine, all?.compactMap { records in records.first { $0.phase == "figures" } })
    }

    /// Checks one operation against figures worked out by hand.
    private func check(
      root: (sent: Int, received: Int), others: (sent: Int, received: Int),
      control: (sent: Int, received: Int), _ work: (Communicator) throws -> Void,
      sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
      for chunkBytes in [7, 1 << 28] {
        let (mine, all) = try figures(chunkBytes: chunkBytes, work)
        let expected = world.isRoot ? root : others
        #expect(mine.calls == 1, sourceLocation: sourceLocation)
        #expect(mine.bytesSent == expected.sent, sourceLocation: sourceLocation)
        #expect(mine.bytesReceived == expected.received, sourceLocation: sourceLocation)
        #expect(mine.controlBytesSent == control.sent, sourceLocation: sourceLocation)
        #expect(mine.controlBytesReceived == control.received, sourceLocation: sourceLocation)
        #expect(mine.secondsWaiting >= 0 && mine.secondsTransferring >= 0)
        guard let all else { continue }
        #expect(all.count == world.size, sourceLocation: sourceLocation)
        #expect(
          all.map(\.bytesSent).reduce(0, +) == all.map(\.bytesReceived).reduce(0, +),
          sourceLocation: sourceLocation)
        #expect(
          all.map(\.controlBytesSent).reduce(0, +) == all.map(\.controlBytesReceived).reduce(0, +),
          sourceLocation: sourceLocation)
      }
    }

    private let others = world.size - 1
    private var agreement: (Int, Int) { (88 * others, 88 * others) }

    @Test func `one to all`() throws {
      try check(root: (400 * others, 0), others: (0, 400), control: agreement) { communicator in
        var values = [Float](repeating: 1, count: communicator.isRoot ? 100 : 0)
        try communicator.broadcast(&values, from: 0, phase: "figures")
      }
      try check(root: (24 * others, 0), others: (0, 24), control: agreement) { communicator in
        let all = [Double](repeating: 1, count: 3 * communicator.size)
        _ = try communicator.scatter(all, from: 0, phase: "figures")
      }
      try check(root: (400 * others, 0), others: (0, 400), control: (0, 0)) { communicator in
        _ = try communicator.startBroadcast(
          [Float](repeating: 1, count: 100), from: 0, phase: "figures"
        ).wait()
      }
    }

    @Test func `all to one`() throws {
      try check(root: (0, 14 * others), others: (14, 0), control: agreement) { communicator in
        _ = try communicator.gather([Int16](repeating: 1, count: 7), to: 0, phase: "figures")
      }
      try check(root: (0, 14 * others), others: (14, 0), control: (0, 0)) { communicator in
        _ = try communicator.startGather(
          [Int16](repeating: 1, count: 7), to: 0, phase: "figures"
        ).wait()
      }
      try check(root: (0, 40 * others), others: (40, 0), control: agreement) { communicator in
        _ = try communicator.reduce(
          [Float](repeating: 1, count: 10), .sum, to: 0, phase: "figures")
      }
      // Rank r gives r bytes, and 8 more to say so.
      try check(
        root: (0, world.size * others / 2), others: (world.rank, 0),
        control: world.isRoot
          ? (88 * others, 96 * others) : (88 * others + 8, 88 * others)
      ) { communicator in
        _ = try communicator.gatherV(
          [UInt8](repeating: 1, count: communicator.rank), to: 0, phase: "figures")
      }
    }

    @Test func `all to all`() throws {
      let figures = (80 * others, 80 * others)
      try check(root: figures, others: figures, control: agreement) { communicator in
        _ = try communicator.allgather([Int](repeating: 1, count: 10), phase: "figures")
      }
      try check(root: figures, others: figures, control: agreement) { communicator in
        _ = try communicator.allreduce(
          [Int](repeating: 1, count: 10), .maximum, phase: "figures")
      }
      let unequal = (
        world.rank * others, world.size * others / 2 - world.rank
      )
      try check(
        root: unequal, others: unequal, control: (96 * others, 96 * others)
      ) { communicator in
        _ = try communicator.allgatherV(
          [UInt8](repeating: 1, count: communicator.rank), phase: "figures")
      }
      try check(
        root: (40 * others, 40 * others), others: (40, 40), control: agreement
      ) { communicator in
        _ = try communicator.orderedSum([Float](repeating: 1, count: 10), phase: "figures")
      }
      try check(root: (0, 0), others: (0, 0), control: agreement) { communicator in
        try communicator.barrier(phase: "figures")
      }
      try check(root: (0, 0), others: (0, 0), control: (0, 0)) { communicator in
        try communicator.idleBarrier(phase: "figures")
      }
    }

    @Test func `a message and its header`() throws {
      guard world.size > 1 else { return }
      let (mine, all) = try figures { communicator in
        if communicator.rank == 0 {
          try communicator.send([Float](repeating: 1, count: 5), to: 1, phase: "figures")
        } else if communicator.rank == 1 {
          _ = try communicator.receive(as: Float.self, from: 0, phase: "figures")
        } else {
          communicator.ledger["figures"].calls = 1
        }
      }
      #expect(mine.bytesSent == (world.rank == 0 ? 20 : 0))
      #expect(mine.bytesReceived == (world.rank == 1 ? 20 : 0))
      #expect(mine.controlBytesSent == (world.rank == 0 ? 24 : 0))
      #expect(mine.controlBytesReceived == (world.rank == 1 ? 24 : 0))
      #expect(mine.calls == 1)
      #expect(all?.count == (world.isRoot ? world.size : nil))
    }

    @Test func `waiting for a late rank is not called transfer`() throws {
      guard world.size > 1 else { return }
      let pause = 0.2
      let (mine, _) = try figures { communicator in
        try communicator.barrier(phase: "start")
        let start = MPI.seconds
        if communicator.isRoot { while MPI.seconds < start + pause {} }
        var values = [1, 2, 3]
        try communicator.broadcast(&values, from: 0, phase: "figures")
      }
      guard !world.isRoot else { return }
      #expect(mine.secondsWaiting > pause / 2)
      #expect(mine.secondsTransferring < mine.secondsWaiting)
    }

    @Test func `phases keep the order in which they began, and collecting leaves no trace`() throws
    {
      for phase in ["one", "two", "three", "two"] { try world.barrier(phase: phase) }
      _ = try world.collectLedger()
      let ledgers = try world.collectLedger()
      #expect(world.ledger.record(of: "ledger") == nil)
      let phases = world.ledger.records.map(\.phase)
      #expect(phases.filter(["one", "two", "three"].contains) == ["one", "two", "three"])
      guard let ledgers else { return }
      #expect(ledgers.count == world.size)
      #expect(ledgers[0] == world.ledger.records)
      #expect(ledgers.allSatisfy { !$0.map(\.phase).contains("ledger") })
    }
  }
}
