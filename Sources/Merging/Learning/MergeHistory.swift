import Networks

/// What one epoch of learning a merge came to.
public struct MergeEpoch: Codable, Equatable, Sendable {
  /// From 1.
  public let epoch: Int
  /// The merged network's mean training loss in nats, each batch before its own step.
  public let loss: Double
  /// The merged network's accuracy on the training batches, each before its own step.
  public let accuracy: Double
  /// The accuracy on held-out images after the epoch; nil without a validation split.
  public let validationAccuracy: Double?
  /// The mean over rows of the largest entry of the learned matrices: 1 for permutations; nil without any.
  public let sharpness: Double?
}

/// The epochs of one method that learns.
struct MergeHistory {
  private let method: String
  private let rateOption: String
  private(set) var epochs: [MergeEpoch] = []

  /// - Parameters:
  ///   - method: as the user called it.
  ///   - rateOption: the option to turn down when the loss diverges.
  init(_ method: String, rateOption: String) {
    self.method = method
    self.rateOption = rateOption
  }

  /// Notes an epoch.
  ///
  /// - Throws: ``MergeError`` if the loss or the network is no longer finite.
  mutating func append(
    _ epoch: Int, _ averages: EpochAverages, _ network: Network, _ context: MergeContext,
    rate: Float, sharpness: Double? = nil
  ) throws(MergeError) {
    guard averages.loss.isFinite, network.isFinite else {
      throw MergeError(
        "\(method): the loss became infinite or NaN in epoch \(epoch) at learning rate"
          + " \(rate); try a smaller \(rateOption)")
    }
    epochs.append(
      MergeEpoch(
        epoch: epoch, loss: averages.loss, accuracy: averages.accuracy,
        validationAccuracy: context.validate?(network), sharpness: sharpness))
  }
}
