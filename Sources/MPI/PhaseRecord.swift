/// What one rank's messages of one phase cost.
public struct PhaseRecord: Codable, Sendable, Equatable {
  /// The label that the caller gave to the operations.
  public var phase: String
  /// How many operations this rank took part in.
  public var calls = 0
  /// Payload bytes that left this rank.
  public var bytesSent = 0
  /// Payload bytes that reached this rank.
  public var bytesReceived = 0
  /// Bytes sent to agree on what to do: argument checks, counts, headers.
  public var controlBytesSent = 0
  /// Bytes received to agree on what to do.
  public var controlBytesReceived = 0
  /// Seconds until the slowest rank was ready: imbalance, not network.
  public var secondsWaiting = 0.0
  /// Seconds in the transfer itself.
  public var secondsTransferring = 0.0

  /// A record of nothing yet.
  public init(phase: String) { self.phase = phase }

  /// What is left without an earlier state of the same phase.
  func subtracting(_ old: PhaseRecord) -> PhaseRecord {
    var result = self
    result.calls -= old.calls
    result.bytesSent -= old.bytesSent
    result.bytesReceived -= old.bytesReceived
    result.controlBytesSent -= old.controlBytesSent
    result.controlBytesReceived -= old.controlBytesReceived
    result.secondsWaiting -= old.secondsWaiting
    result.secondsTransferring -= old.secondsTransferring
    return result
  }
}
