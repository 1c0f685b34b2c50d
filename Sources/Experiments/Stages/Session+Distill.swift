import Datasets
import MPI
import Networks
import Synchronization
import Training

extension Session {
  /// Distils the ensemble into students, which train on ranks as members do.
  ///
  /// Rank 0 sends the teacher ensemble to every rank; each rank computes the soft targets of its share
  /// of the training images, as they are and mirrored; the shares are gathered on every rank, so that no
  /// student computes them again.
  ///
  /// - Parameter members: the members by number, on rank 0; nil to read them from the folder.
  /// - Throws: `JointFailure`, on every rank.
  public func distill(_ members: [Network]? = nil) throws {
    guard experiment.students > 0 else { return }
    let teacher = try broadcastTeacher(members)
    let targets = try shareTargets(of: teacher)

    let settings = experiment.distillation
    let loss = DistillationLoss(alpha: settings.alpha, temperature: settings.temperature)
    try trainInRounds(
      Array(0..<experiment.students), stage: "student", noun: "distilling",
      name: RunFolder.studentName
    ) { student, trainer in
      var network = Network(
        experiment.architecture, random: RandomStream(seed: experiment.seed, "student", student))
      let records = try trainer.train(
        &network,
        on: try batches(for: "student", student, targets: targets, threads: trainer.threads),
        minimizing: loss)
      return (network, records)
    }
    _ = try onRoot {
      try folder.removeStudents(from: experiment.students)
      try folder.writeJSON(experiment, "experiment.json")
    }
  }

  /// Sends the members' weights from rank 0 to every rank.
  private func broadcastTeacher(_ members: [Network]?) throws -> Teacher {
    var weights =
      try onRoot { () throws -> [Float] in
        try folder.requireOwn(["students"])
        return try (members ?? folder.readMembers(for: experiment)).flatMap(\.parameters)
      } ?? []
    try world.broadcast(&weights, from: 0, phase: "broadcast teacher")
    let count = experiment.architecture.parameterCount
    let settings = experiment.distillation
    return Teacher(
      members: stride(from: 0, to: weights.count, by: count).map {
        Network(experiment.architecture, parameters: Array(weights[$0..<$0 + count]))
      },
      normalization: experiment.normalization, combination: settings.targets,
      temperature: settings.temperature)
  }

  /// Computes this rank's share of the soft targets and gathers everybody's.
  ///
  /// The shares are fixed chunks of images, dealt out to the ranks in turn, so that their bits do not
  /// depend on how many ranks there are.
  private func shareTargets(of teacher: Teacher) throws -> SoftTargets {
    let training = try data().training
    let chunks = 0..<Teacher.chunkCount(training)
    let progress = self.progress("computing the teacher's soft targets")
    let own = chunks.filter { $0 % world.size == world.rank }
    let threads = try threadsWhileSharing(isBusy: !own.isEmpty)
    let shares = Mutex([[Float]](repeating: [], count: own.count))
    concurrently(own.count, threads: threads) { place in
      let targets = teacher.targets(forChunk: own[place], of: training)
      shares.withLock { $0[place] = targets }
    }
    let gathered = try world.allgatherV(
      shares.withLock { Array($0.joined()) }, phase: "gather soft targets")
    progress.finish()

    // Back into the images' order: the next chunk comes from its rank's next unread part.
    let classes = experiment.architecture.outputs
    var read = [Int](repeating: 0, count: world.size)
    var values: [Float] = []
    values.reserveCapacity(training.count * 2 * classes)
    for chunk in chunks {
      let rank = chunk % world.size
      let images = min(evaluationChunk, training.count - chunk * evaluationChunk)
      let part = read[rank]..<read[rank] + images * 2 * classes
      values.append(contentsOf: gathered[rank][part])
      read[rank] = part.upperBound
    }
    return SoftTargets(classes: classes, values: values)
  }
}
