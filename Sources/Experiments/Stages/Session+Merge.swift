import Datasets
import Merging
import Networks
import Training

extension Session {
  /// Merges the members on rank 0, by one chain of methods after another.
  ///
  /// The other ranks sleep, but where a method asks for sums over the training images: those all ranks share.
  ///
  /// - Parameters:
  ///   - members: the members by number, on rank 0; nil to read them from the folder.
  ///   - chains: the chains, in order; what several begin with is done once.
  /// - Throws: `JointFailure`, on every rank.
  public func merge(_ members: [Network]? = nil, by chains: [MergeChain]) throws {
    _ = try data()
    _ = try onRootWithSums { sums in
      try folder.requireOwn(["merged"])
      let members = try members ?? folder.readMembers(for: experiment)
      var runner = try MergeRunner(members, settings: experiment.merging)
      let teacher = MergingTeacher(self, members: members)
      for chain in chains { try merge(by: chain, with: &runner, teacher, sums) }
      try folder.writeJSON(experiment, "experiment.json")
      // They were of what is no longer there.
      try folder.remove("results.json")
    }
  }

  private func merge(
    by chain: MergeChain, with runner: inout MergeRunner, _ teacher: MergingTeacher,
    _ sums: SharedSums
  ) throws {
    let progress = self.progress(
      "merging \(counted(experiment.members, "member")) by \(chain)")
    let outcome = try runner.run(chain) { method in
      MergeContext(
        batches: try batches(for: "merge \(method.name)", threads: threads),
        taughtBatches: { try teacher.batches(for: method, temperature: $0) }, sums: sums,
        seed: experiment.seed, threads: threads,
        onStep: { progress.update($0, of: $1) }, validate: try validator(threads: threads))
    }
    let merge = outcome.merge

    let variants = merge.variants.map { variant in
      let suffix = variant.suffix.isEmpty ? "" : "-\(variant.suffix)"
      return (name: RunFolder.mergedName(chain.name + suffix), network: variant.network)
    }
    if merge.isAligned { try folder.writePermutations(merge, method: chain.name) }
    try folder.note(seconds: variants.map { ($0.name, outcome.seconds) })
    if !merge.history.isEmpty {
      var log = try folder.readLearningLog()
      log.replace(
        stage: chain.name, index: 0,
        with: merge.history.map {
          LearningLog.Record(
            stage: chain.name, index: 0, epoch: $0.epoch, loss: $0.loss,
            accuracy: $0.accuracy, validationAccuracy: $0.validationAccuracy,
            sharpness: $0.sharpness)
        })
      try folder.write(log)
    }
    // The chain's own network comes last: once it is there, all else of it is too.
    for (name, network) in variants.reversed() {
      try folder.write(network, name, for: experiment)
    }
    progress.finish()
  }
}
