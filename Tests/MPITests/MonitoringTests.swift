import Foundation
import Testing

@testable import MPI

extension LaunchedTests {
  /// The ledger against the library's own count of the same bytes.
  ///
  /// Open MPI's monitoring components record, in each rank's file, the bytes it sent point to point to
  /// every peer (`E`, without the messages that collectives are made of) and for each communicator the
  /// bytes of its collectives: one-to-all and all-to-all at the sender, all-to-one at the receiver. Every
  /// collective moves equally much to or from each peer, so for every rank, operation and both directions
  /// the ledger's payload and control bytes together must equal exactly
  ///
  /// - sent: E to all peers + O2A + A2A + what it contributed to the others' A2O,
  /// - received: E from all peers + A2O + what reached it of the others' O2A and A2A.
  @Suite(.enabled(if: MPI.libraryVersion.contains("Open MPI"))) struct MonitoringTests {
    @Test(arguments: Monitored.allCases)
    func `the ledger agrees with Open MPI's monitoring to the byte`(operation: Monitored) throws {
      let ranks = 3
      let folder = FileManager.default.temporaryDirectory
        .appending(path: "mpi-monitoring-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }

      let outcome = try Launcher.run(
        .monitored, ranks: ranks,
        environment: [
          "OMPI_MCA_pml_monitoring_enable": "2",
          "OMPI_MCA_pml_monitoring_enable_output": "3",
          "OMPI_MCA_pml_monitoring_filename": folder.appending(path: "monitored").path(),
          // The default all-gather of unequal counts is a gather and a broadcast, which the monitoring
          // would count as well as the all-gather; a ring is messages of its own.
          "OMPI_MCA_coll_tuned_use_dynamic_rules": "1",
          "OMPI_MCA_coll_tuned_allgatherv_algorithm": "3",
          Monitored.operationVariable: operation.rawValue,
          Monitored.ledgerVariable: folder.appending(path: "ledger").path(),
        ])
      try #require(outcome.status == 0, "\(outcome.output)")

      let monitored = try (0..<ranks).map { rank in
        try MonitoringFile(
          folder.appending(path: "monitored.\(rank).prof"), communicator: operation.rawValue)
      }
      var total = 0
      for rank in 0..<ranks {
        let records = try JSONDecoder().decode(
          [PhaseRecord].self, from: Data(contentsOf: folder.appending(path: "ledger.\(rank).json")))
        // A rank that takes no part in a message has no record, and must have no bytes.
        let record =
          records.first { $0.phase == operation.rawValue } ?? PhaseRecord(phase: operation.rawValue)
        let others = (0..<ranks).filter { $0 != rank }
        func fromOthers(_ figure: (MonitoringFile) -> Int) -> Int {
          others.map { figure(monitored[$0]) }.reduce(0, +) / others.count
        }
        let own = monitored[rank]
        let sent =
          own.pointToPoint.values.reduce(0, +) + own.oneToAll + own.allToAll
          + fromOthers(\.allToOne)
        let received =
          others.compactMap { monitored[$0].pointToPoint[rank] }.reduce(0, +) + own.allToOne
          + fromOthers { $0.oneToAll + $0.allToAll }
        #expect(record.bytesSent + record.controlBytesSent == sent, "sent by rank \(rank)")
        #expect(
          record.bytesReceived + record.controlBytesReceived == received, "received by rank \(rank)"
        )
        total += sent
      }
      #expect((total > 0) == (operation != .idleBarrier), "nothing was compared")
    }
  }
}

/// What one rank's monitoring file says of point-to-point messages and of one name's communicators.
private struct MonitoringFile {
  /// Bytes sent to each peer.
  var pointToPoint: [Int: Int] = [:]
  var oneToAll = 0
  var allToOne = 0
  var allToAll = 0

  /// Reads lines such as `E 1 0 212 bytes 6 msgs sent …` and, after `D name procs: …`, `O2A 1 26 bytes …`.
  init(_ url: URL, communicator: String) throws {
    var isCounted = false
    for line in try String(contentsOf: url, encoding: .utf8).split(separator: "\n") {
      let fields = line.split(separator: "\t")
      switch fields.first {
      case "D": isCounted = fields[1] == communicator
      case "E": pointToPoint[Int(fields[2]) ?? -1, default: 0] += Self.bytes(fields[3])
      case "O2A" where isCounted: oneToAll += Self.bytes(fields[2])
      case "A2O" where isCounted: allToOne += Self.bytes(fields[2])
      case "A2A" where isCounted: allToAll += Self.bytes(fields[2])
      default: break
      }
    }
  }

  private static func bytes(_ field: Substring) -> Int {
    field.split(separator: " ").first.flatMap { Int($0) } ?? 0
  }
}
