import Merging
import Networks
import Training

extension Session {
  /// Merges the members on rank 0, by one method after another, while the other ranks sleep.
  ///
  /// - Parameters:
  ///   - members: the members by number, on rank 0; nil to read them from the folder.
  ///   - methods: the methods, in order.
  /// - Throws: `JointFailure`, on every rank.
  public func merge(_ members: [Network]? = nil, by methods: [MergingMethod]) throws {
    _ = try data()
    _ = try onRoot {
      let members = try members ?? folder.readMembers(for: experiment)
      for method in methods { try merge(members, by: method) }
      try folder.writeJSON(experiment, "experiment.json")
      // They were of what is no longer there.
      try folder.remove("results.json")
    }
  }

  private func merge(_ members: [Network], by method: MergingMethod) throws {
    let progress = self.progress(
      "merging \(counted(members.count, "member")) by \(method.name)")
    let start = ContinuousClock.now
    let context = MergeContext(
      batches: try batches(for: "merge \(method.name)", threads: threads), threads: threads,
      onStep: { progress.update($0, of: $1) }, validate: try validator(threads: threads))
    let result = try method.merger(experiment.merging).merge(members, in: context)
    let seconds = (ContinuousClock.now - start).seconds

    var names: [String] = []
    for variant in result.variants {
      let suffix = variant.suffix.isEmpty ? "" : "-\(variant.suffix)"
      names.append(RunFolder.mergedName(method.name + suffix))
      try folder.write(variant.network, names[names.count - 1], for: experiment)
    }
    try folder.writePermutations(result, method: method.name)
    try folder.note(seconds: names.map { ($0, seconds) })
    if !result.history.isEmpty {
      var log = try folder.readLearningLog()
      log.replace(
        stage: method.name, index: 0,
        with: result.history.map {
          LearningLog.Record(
            stage: method.name, index: 0, epoch: $0.epoch, loss: $0.loss,
            accuracy: $0.accuracy, validationAccuracy: $0.validationAccuracy,
            sharpness: $0.sharpness)
        })
      try folder.write(log)
    }
    progress.finish()
  }
}
