import Datasets
import Merging
import Networks
import Tensors

extension Session {
  /// Merges the members by one chain of methods after another; networks that the folder has and that still hold are kept.
  ///
  /// Rank 0 has the members and decides; a method that is shared gives parts of its work to all ranks.
  ///
  /// - Parameters:
  ///   - members: the members by number, on rank 0; nil to read them from the folder.
  ///   - chains: the chains, in order; what several begin with is done once.
  /// - Throws: `JointFailure`, on every rank.
  public func merge(_ members: [Network]? = nil, by chains: [MethodChain]) throws {
    _ = try data()
    let own = try job.onRoot { () throws -> [Network] in
      try folder.requireOwn(["merged"])
      try folder.make(folder.path("merged"))
      return try members ?? folder.readMembers(for: experiment)
    }
    let fingerprint = own.map { Experiments.fingerprint(of: $0) }
    var missing =
      try job.onRoot {
        try chains.indices.filter { try !holds(chains[$0], members: fingerprint ?? "") }
      } ?? []
    try world.broadcast(&missing, from: 0, phase: "experiment")
    let kept = chains.count - missing.count
    if job.isRoot, kept > 0 {
      ProgressLine.note("\(counted(kept, "merged network")) kept from before")
    }
    guard !missing.isEmpty else { return }
    // A damaged record is found now, and not once something is made that it is to be noted in.
    _ = try job.onRoot { (try folder.readLearningLog(), try folder.readTimings()) }

    // Members of shards go to other ranks only once a step needs them there.
    let members = try isSharded ? own ?? placeholders() : membersEverywhere(own)
    let surroundings = try RankSurroundings(
      job,
      MergeInputs(
        members: members, training: try trainingImages(), heldOut: try heldOutImages(),
        shards: try shardedImages(),
        heldOutShards: try members.indices.map {
          isSharded ? try heldOutImages(ofMember: $0) : nil
        }, isHoldingOut: isSharded && experiment.validation > 0, seed: experiment.seed,
        batchSize: experiment.training.batchSize, isFlipping: experiment.training.flips,
        combination: experiment.distillation.targets),
      sharingMembersBy: { try self.membersEverywhere(own) })
    var runner = try world.together {
      try ChainRunner(
        members,
        names: members.indices.map { folder.path("\(RunFolder.memberName($0)).safetensors") },
        everywhere: !isSharded || world.size == 1)
    }
    for chain in missing.map({ chains[$0] }) {
      let progress = job.progress("merging \(counted(members.count, "member")) by \(chain)")
      surroundings.progress = progress
      let outcome = try runner.run(chain, in: surroundings)
      let sent = try job.total(bytesSent: outcome.traffic.bytesSent)
      _ = try job.onRoot {
        try keep(outcome, of: chain, members: fingerprint ?? "", bytes: sent ?? 0)
      }
      progress.finish()
    }
  }

  /// What it takes to have all members on rank 0.
  var gatheringBytes: Int {
    let away = (0..<experiment.members).count { worker(of: $0, among: world.size) != 0 }
    return away * networkBytes
  }

  /// What it takes to send all members from rank 0 to the other ranks.
  var membersEverywhereBytes: Int { (world.size - 1) * experiment.members * networkBytes }

  private var networkBytes: Int {
    let graph = experiment.architecture
    return MemoryLayout<Float>.stride * (graph.parameterCount + graph.bufferCount)
  }

  /// Networks in the place of members that this rank does not have.
  private func placeholders() -> [Network] {
    let graph = experiment.architecture
    let empty = Network(graph, parameters: Array(repeating: 0, count: graph.parameterCount))
    return Array(repeating: empty, count: experiment.members)
  }

  /// Whether the folder has a chain's network, made as it would be now.
  ///
  /// - Parameters:
  ///   - chain: the chain.
  ///   - fingerprint: of the members.
  /// - Returns: false too where the folder has none.
  /// - Throws: `CheckpointError` for a file that is no checkpoint.
  func holds(_ chain: MethodChain, members fingerprint: String) throws -> Bool {
    let name = RunFolder.mergedName(chain.name)
    guard folder.hasNetwork(name) else { return false }
    return try folder.readProvenance(name)
      == Provenance(
        chain, of: fingerprint, architecture: experiment.architecture, in: experiment)
  }

  /// Writes what a chain came to.
  private func keep(
    _ outcome: ChainRunner.Outcome, of chain: MethodChain, members fingerprint: String, bytes: Int
  ) throws {
    let state = outcome.state
    guard state.variants.allSatisfy(\.network.isFinite) else {
      throw MergeError(
        "\(chain): what \(folder.path("members")) comes to overflows: the weights are huge",
        isAboutWeights: true)
    }
    let provenance = Provenance(
      chain, of: fingerprint, architecture: experiment.architecture, in: experiment)
    let variants = state.variants.map { variant in
      let suffix = variant.suffix.isEmpty ? "" : "-\(variant.suffix)"
      return (name: RunFolder.mergedName(chain.name + suffix), network: variant.network)
    }
    // They were of what is no longer there.
    try folder.remove("results.json")
    if state.isAligned { try folder.writePermutations(state, of: chain) }
    try folder.note(seconds: variants.map { ($0.name, outcome.seconds) })
    try folder.note(
      cost: Costs.Cost(
        ranks: world.size, rounds: 1 + outcome.traffic.rounds,
        bytes: bytes + gatheringBytes
          + (outcome.hasMembersEverywhere ? membersEverywhereBytes : 0)), of: variants.map(\.name))
    var log = try folder.readLearningLog()
    log.replace(merge: chain, with: state.curves)
    try folder.write(log)
    // The chain's own network comes last: once it is there, all else of it is too.
    for (name, network) in variants.reversed() {
      try folder.write(network, name, for: experiment, provenance: provenance)
    }
  }
}
