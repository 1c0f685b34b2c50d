import Networks

/// The epochs of one step that learns.
struct MergeHistory {
  private let method: String
  private(set) var epochs: [EpochRecord] = []

  /// - Parameter method: as the user called it.
  init(_ method: String) { self.method = method }

  /// Notes an epoch.
  ///
  /// - Throws: ``MergeError`` if the loss or the network is no longer finite; what validation throws.
  mutating func append(
    _ epoch: Int, _ averages: EpochAverages, _ network: Network, _ resources: MergeResources,
    rate: Float, sharpness: Double? = nil
  ) throws {
    guard averages.loss.isFinite, network.isFinite else {
      throw MergeError(
        "\(method): the loss became infinite or NaN in epoch \(epoch) at learning rate"
          + " \(rate); try a smaller one, \(method)(learning-rate=\(rate / 10))")
    }
    epochs.append(
      EpochRecord(
        epoch: epoch, loss: averages.loss, accuracy: averages.accuracy,
        validationAccuracy: try resources.validate?(network), sharpness: sharpness))
  }
}
