import Experiments
import Foundation

extension Report {
  /// What each phase of messages cost.
  var communicationSection: HTMLPage.Section? {
    guard !communication.commands.isEmpty else { return nil }
    let tables = communication.commands.map { command in
      let rows = command.phases.map { phase in
        (
          cells: [
            escaped(phase.name), String(phase.calls), readableBytes(phase.payloadBytes),
            readableBytes(phase.controlBytes), decimal(phase.secondsWaiting, 3),
            decimal(phase.secondsTransferring, 3), rate(phase),
          ], isStrong: false
        )
      }
      let payload = command.phases.reduce(0) { $0 + $1.payloadBytes }
      let transfer = command.phases.reduce(0) { $0 + $1.secondsTransferring }
      let hosts = Set(command.hosts).count
      return """
        <p><strong>permavg \(escaped(command.command))</strong> on \(counted(command.ranks, "rank")),
        \(counted(hosts, "node")): \(readableBytes(payload)) of payload, \(decimal(transfer, 3)) s in
        transfer of \(decimal(command.wallSeconds, 1)) s in all.</p>
        """
          + htmlTable(
            [
              "phase", "calls", "payload", "control", "longest<br>wait, s",
              "longest<br>transfer, s", "payload<br>rate",
            ], rows)
    }
    return HTMLPage.Section(
      heading: "Communication",
      caption:
        "Payload is what the algorithm needs, sent by all ranks; control is counts and checks."
        + " Waiting is the imbalance of the work before; seconds are of the slowest rank.",
      body: tables.joined(separator: "\n"))
  }

  private func rate(_ phase: CommunicationLog.Command.Phase) -> String {
    guard phase.payloadBytes > 0, phase.secondsTransferring > 0 else { return "" }
    return
      "\(readableBytes(Int(min(Double(phase.payloadBytes) / phase.secondsTransferring, 1e18))))/s"
  }

  /// Every setting, as the folder has it.
  var settingsSection: HTMLPage.Section? {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(experiment) else { return nil }
    let library = communication.commands.last.map { "<p class=\"note\">\(escaped($0.library))</p>" }
    return HTMLPage.Section(
      heading: "Settings",
      caption:
        "What <code>experiment.json</code> says; equal settings give equal bytes on any number"
        + " of ranks.",
      body: "<pre>\(escaped(String(decoding: data, as: UTF8.self)))</pre>" + (library ?? ""))
  }
}
