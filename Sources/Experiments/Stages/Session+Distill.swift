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
  /// student computes them again. Where members have images of their own, targets stay where the images are, and all ranks train
  /// each student together.
  ///
  /// - Parameter members: the members by number, on rank 0; nil to read them from the folder.
  /// - Throws: `JointFailure`, on every rank.
  public func distill(_ members: [Network]? = nil) throws {
    guard experiment.students > 0 else { return try removeAllStudents() }
    _ = try data()
    let own = try job.onRoot { () throws -> [Network] in
      try folder.requireOwn(["students"])
      try folder.make(folder.path("students"))
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

  /// What a distillation without students leaves: none of an earlier one.
  private func removeAllStudents() throws {
    _ = try job.onRoot {
      try folder.requireOwn(["students"])
      try folder.removeStudents(from: 0)
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
    let loss = DistillationLoss(alpha: settings.alpha, temperature: settings.temperature)
    let newStudent = { [experiment] (student: Int) in
      Network(
        experiment.architecture, random: RandomStream(seed: experiment.seed, "student", student))
    }
    if let shards = try shardedImages() {
      let threads = try job.threadsWhileSharing(isBusy: true)
      let targets = try world.together { try teacher.targets(of: shards, threads: threads) }
      progress.finish()
      return try trainTogether(numbers, as: .student, provenance: provenance) {
        student, trainer in
        var network = newStudent(student)
        var trainer = trainer
        trainer.maximumGradientNorm = settings.maximumGradientNorm
        let batches = ShardedBatches(
          shards, batchSize: experiment.training.batchSize,
          isFlipping: experiment.training.flips, targets: targets, seed: experiment.seed,
          purpose: "student \(student)")
        let records = try trainer.train(&network, on: batches, minimizing: loss)
        return (network, records)
      }
    }
    guard let images = try trainingImages(), let training = try data().training else { return }
    let targets = try teacher.targets(
      of: Images(training, normalization: experiment.normalization), with: try job.team(),
      phase: "gather soft targets")
    progress.finish()
    try trainInRounds(numbers, as: .student, provenance: provenance) { student, trainer in
      var network = newStudent(student)
      var trainer = trainer
      trainer.maximumGradientNorm = settings.maximumGradientNorm
      let records = try trainer.train(
        &network,
        on: batches(
          of: images, for: "student", student, targets: targets, threads: trainer.threads),
        minimizing: loss)
      return (network, records)
    }
  }
}
