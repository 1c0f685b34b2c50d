import Datasets
import Merging
import Networks
import Training

/// Gives the merging methods of one command batches with the ensemble's predictions, which are computed once.
final class MergingTeacher {
  private let session: Session
  private let members: [Network]
  private var targets: [Float: SoftTargets] = [:]

  init(_ session: Session, members: [Network]) {
    self.session = session
    self.members = members
  }

  /// Seeded batches with the ensemble's predictions at a temperature, for each image as it is and mirrored.
  func batches(for method: MergingMethod, temperature: Float) throws -> ImageBatches {
    try session.batches(
      for: "merge \(method.name)", targets: try softTargets(temperature),
      threads: session.threads)
  }

  private func softTargets(_ temperature: Float) throws -> SoftTargets {
    if let known = targets[temperature] { return known }
    let made = Teacher(
      members: members, normalization: session.experiment.normalization,
      combination: session.experiment.distillation.targets, temperature: temperature
    ).targets(of: try session.data().training, threads: session.threads)
    targets[temperature] = made
    return made
  }
}
