import Datasets
import MPI
import Merging
import Networks
import Tensors
import Training

/// What a merge works on, whether the members are a run's, a study's or loose checkpoints.
struct MergeInputs {
  /// By number; on every rank once a step is shared.
  var members: [Network]

  /// The images that are learned from; nil without data.
  let training: Images?

  /// The images that are held out; nil if none are.
  var heldOut: Images?

  /// The members' own images, in place of ``training``.
  var shards: ShardedImages?

  /// The images that are held out for each member, on its rank.
  var heldOutShards: [Images?] = []

  /// Whether any are held out of shards, which ranks without a shard know too.
  var isHoldingOut = false

  let seed: UInt64
  let batchSize: Int
  let isFlipping: Bool

  /// How the ensemble's predictions are combined where they teach.
  let combination: Combination
}

/// The ranks as a chain of merging methods finds them: rank 0 decides, all share what a method shares.
final class RankSurroundings: ChainRunner.Surroundings {
  private let job: Job
  private var inputs: MergeInputs
  let team: any Team

  /// How often ranks have met.
  let rounds: CountedTeam.Count

  /// Sends the members to all ranks, where only the first has them.
  private let shareMembers: () throws -> [Network]

  /// Is told how far the present step is.
  var progress: ProgressLine?

  /// The ensemble's predictions that were asked for, by temperature.
  private var targets: [Float: SoftTargets] = [:]

  /// The same of each member's own images, on its rank.
  private var shardTargets: [Float: [SoftTargets?]] = [:]

  /// The surroundings on every rank.
  ///
  /// - Parameters:
  ///   - job: the command.
  ///   - inputs: what is merged.
  ///   - shareMembers: sends the members to all ranks, if not all have them.
  /// - Throws: `MPIError`
  init(
    _ job: Job, _ inputs: MergeInputs,
    sharingMembersBy shareMembers: @escaping () throws -> [Network] = {
      preconditionFailure("all ranks have the members")
    }
  ) throws {
    self.job = job
    self.inputs = inputs
    self.shareMembers = shareMembers
    let team = CountedTeam(try job.team())
    self.team = team
    rounds = team.count
  }

  var traffic: MessageTraffic {
    MessageTraffic(rounds: rounds.value, bytesSent: job.bytesSent())
  }

  func members() throws -> [Network] {
    inputs.members = try shareMembers()
    return inputs.members
  }

  var isSharded: Bool { inputs.shards != nil }

  /// Computes the ensemble's predictions on all ranks, if the method needs them and they are not there.
  func prepare(for method: MergeMethod) throws {
    guard case .predictions(let temperature) = method.needs else { return }
    let teacher = Teacher(
      members: inputs.members, combination: inputs.combination, temperature: temperature)
    if let shards = inputs.shards {
      guard shardTargets[temperature] == nil else { return }
      shardTargets[temperature] = try teacher.targets(of: shards, threads: team.threads)
    } else if let training = inputs.training, targets[temperature] == nil {
      let all = Images(training.dataset, normalization: training.normalization)
      targets[temperature] = try teacher.targets(
        of: all, with: team, phase: "gather soft targets")
    }
  }

  func resources(for method: MergeMethod, with team: any Team) -> MergeResources {
    var resources = MergeResources(
      team: team, samples: inputs.training, seed: inputs.seed,
      onStep: { [progress] in progress?.update($0, of: $1) })
    if let shards = inputs.shards {
      addShards(shards, to: &resources, for: method)
    } else if let training = inputs.training {
      func batches(_ targets: SoftTargets?) -> ImageBatches {
        var batches = ImageBatches(
          training, batchSize: inputs.batchSize, isFlipping: inputs.isFlipping, targets: targets,
          seed: inputs.seed, purpose: "merge \(method.name)")
        batches.threads = team.threads
        return batches
      }
      resources.batches = batches(nil)
      resources.taughtBatches = { [targets] temperature in
        guard let known = targets[temperature] else {
          throw MergeError("\(method.name) does not say that it needs the ensemble's predictions")
        }
        return batches(known)
      }
    }
    if job.isRoot, let heldOut = inputs.heldOut {
      resources.validate = { accuracy(of: $0, on: heldOut, threads: team.threads) }
    }
    return resources
  }

  /// What a step may use where members have their own images: sums over them, and batches that each rank fills its parts of.
  private func addShards(
    _ shards: ShardedImages, to resources: inout MergeResources, for method: MergeMethod
  ) {
    let sums = SampleSums(shards.shards, counts: shards.counts, team: team)
    resources.sums = sums
    func batches(_ targets: [SoftTargets?]) -> ShardedBatches {
      ShardedBatches(
        shards, batchSize: inputs.batchSize, isFlipping: inputs.isFlipping, targets: targets,
        seed: inputs.seed, purpose: "merge \(method.name)")
    }
    resources.batches = batches([])
    resources.taughtBatches = { [shardTargets] temperature in
      guard let known = shardTargets[temperature] else {
        throw MergeError("\(method.name) does not say that it needs the ensemble's predictions")
      }
      return batches(known)
    }
    let (team, heldOut) = (team, inputs.heldOutShards)
    guard inputs.isHoldingOut else { return }
    resources.validate = { network in
      let counts = try team.sum(heldOut.count, of: 2, phase: "share statistics") { member in
        guard let images = heldOut[member] else { return [0, 0] }
        return [
          accuracy(of: network, on: images) * Double(images.count), Double(images.count),
        ]
      }
      return counts[0] / counts[1]
    }
  }

  func together(_ work: () throws -> Void) throws { try job.world.together { try work() } }

  func onRoot(_ work: (any Team) throws -> Void) throws {
    let threads = ThreadTeam(threads: job.threads)
    _ = try job.onRoot { try work(threads) }
  }

  func share(_ indices: [Int], _ numbers: [Float]) throws -> ([Int], [Float]) {
    guard job.world.size > 1 else { return (indices, numbers) }
    var (indices, numbers) = (indices, numbers)
    try job.world.broadcast(&indices, from: 0, phase: "share the merge")
    try job.world.broadcast(&numbers, from: 0, phase: "share the merge")
    return (indices, numbers)
  }
}
