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
    let training = try session.data().training
    let experiment = session.experiment
    let teacher = Teacher(
      members: members, normalization: experiment.normalization,
      combination: experiment.distillation.targets, temperature: temperature)
    let chunks = concurrentMap(Teacher.chunkCount(training), threads: session.threads) {
      teacher.targets(forChunk: $0, of: training)
    }
    let made = SoftTargets(
      classes: experiment.architecture.outputs, values: Array(chunks.joined()))
    targets[temperature] = made
    return made
  }
}
