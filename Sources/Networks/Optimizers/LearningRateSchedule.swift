import Foundation

/// How the learning rate changes over the steps of a run.
public enum LearningRateSchedule: String, Codable, Sendable, CaseIterable {
  /// The base rate throughout.
  case constant

  /// Half a cosine from the base rate to zero over the whole run (Loshchilov & Hutter 2017).
  case cosine

  /// The thesis' schedule: a cosine meant for 20 epochs, stepped once a batch.
  ///
  /// PyTorch's `CosineAnnealingLR(T_max=20)` so stepped swings from the base rate to zero and back
  /// every 40 batches, and at 118 batches an epoch ends the run near its maximum.
  case thesis

  /// The factor of the base rate at a step.
  ///
  /// - Parameters:
  ///   - step: from 0, counted in batches.
  ///   - total: how many steps the run has.
  /// - Returns: from 0 to 1.
  public func factor(step: Int, of total: Int) -> Float {
    switch self {
    case .constant: 1
    case .cosine: Float((1 + cos(Double.pi * Double(step) / Double(max(total, 1)))) / 2)
    case .thesis: Float((1 + cos(Double.pi * Double(step) / 20)) / 2)
    }
  }
}
