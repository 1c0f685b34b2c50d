import Datasets
import MPI
import Networks
import Tensors
import Training

extension Session {
  /// Distils the ensemble into students, which train on ranks as members do; students that still hold are kept.
  ///
  /// Rank 0 sends the teacher ensemble to every rank; each rank computes the soft targets of its share
  /// of the training images, as they are and mirrored; the shares are gathered on every rank, so that no
  /// student computes them again.
  ///
  /// - Parameter members: the members by number, on rank 0; nil to read them from the folder.
  /// - Throws: `JointFailure`, on every rank.
  public func distill(_ members: [Network]? = nil) throws {
    guard experiment.students > 0 else { return }
    _ = try data()
    let own = try job.onRoot { () throws -> [Network] in
      try folder.requireOwn(["students"])
      return try members ?? folder.readMembers(for: experiment)
    }
    let provenance = own.map {
      Provenance(studentsOf: fingerprint(of: $0), in: experiment)
    }
    var missing =
      try job.onRoot {
        try (0..<experiment.students).filter { number in
          let name = RunFolder.studentName(number)
          return try !folder.hasNetwork(name) || folder.readProvenance(name) != provenance
        }
      } ?? []
    try world.broadcast(&missing, from: 0, phase: "experiment")
    let kept = experiment.students - missing.count
    if job.isRoot, kept > 0 { ProgressLine.note("\(counted(kept, "student")) kept from before") }
    if !missing.isEmpty { try distill(missing, from: own, provenance) }
    _ = try job.onRoot {
      try folder.removeStudents(from: experiment.students)
      try folder.writeJSON(experiment, "experiment.json")
    }
  }

  /// Distils some students, by number.
  private func distill(
    _ numbers: [Int], from members: [Network]?, _ provenance: Provenance?
  ) throws {
    let settings = experiment.distillation
    let teacher = Teacher(
      members: try membersEverywhere(members), combination: settings.targets,
      temperature: settings.temperature)
    let progress = job.progress("computing the teacher's soft targets")
    let targets = try teacher.targets(
      of: Images(try data().training, normalization: experiment.normalization),
      with: try job.team(), phase: "gather soft targets")
    progress.finish()

    let loss = DistillationLoss(alpha: settings.alpha, temperature: settings.temperature)
    try trainInRounds(numbers, as: .student, provenance: provenance) { student, trainer in
      var network = Network(
        experiment.architecture, random: RandomStream(seed: experiment.seed, "student", student))
      var trainer = trainer
      trainer.maximumGradientNorm = settings.maximumGradientNorm
      let records = try trainer.train(
        &network,
        on: try batches(for: "student", student, targets: targets, threads: trainer.threads),
        minimizing: loss)
      return (network, records)
    }
  }
}
