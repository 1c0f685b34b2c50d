import Networks
import Tensors

extension MergeMethod {
  public static let straightThrough = MergeMethod(
    "straight-through",
    "the mean after matching each member to member 0 for the loss midway between them",
    needs: .trainingData, folds: true,
    settings: [StraightThrough.epochs.declaration, StraightThrough.learningRate.declaration]
  ) {
    StraightThrough(
      epochs: $0[StraightThrough.epochs], learningRate: $0[StraightThrough.learningRate])
  }
}

/// Git Re-Basin's straight-through matching of every member to the first (Ainsworth, Hayase & Srinivasa 2023,
/// algorithm 2).
///
/// A copy θ̃ of member 0 is trained so that the permutation π that weight matching finds of a member to it lowers the
/// loss at ½ (θ_0 + π(θ_m)): π is kept fixed in the backward pass, whose gradient moves θ̃ instead. The π of the lowest loss
/// is kept, the start's included, so the result is never worse than weight matching on the batches it is judged by: the first
/// ones of the first epoch.
public struct StraightThrough: MergeStep {
  public static let epochs = Setting(
    "epochs", 2, in: 0...1_000_000, "passes over the training images for each member")
  public static let learningRate = Setting.rate("learning-rate", 0.01, "base rate of SGD")

  public let epochs: Int
  public let learningRate: Float

  /// The method with its settings.
  public init(
    epochs: Int = epochs.defaultValue, learningRate: Float = learningRate.defaultValue
  ) {
    self.epochs = epochs
    self.learningRate = learningRate
  }

  public func apply(to state: inout MergeState, with resources: MergeResources) throws {
    let batches = try resources.batches(for: "straight-through")
    let aligned = state.alignedMembers
    var alignment = state.alignment
    let searches = aligned.count - 1
    let judge = try judge(batches, resources)
    for member in aligned.indices.dropFirst() {
      let search = try StraightThroughSearch(
        aligned[0], aligned[member], learningRate: learningRate, seed: resources.seed,
        member: member)
      var learner = Learner(
        search, schedule: .cosine, steps: epochs * batches.batchesPerEpoch,
        batchSize: min(batches.batchSize, batches.sampleCount), threads: resources.threads)
      try learner.subject.judge(judge)
      try learner.learn(
        from: batches, minimizing: CrossEntropy(), withTeamIfSharded: resources.team,
        onStep: { done, total in
          resources.onStep((member - 1) * total + done, searches * total)
        },
        endEpoch: { _, _, search in try search.judge(judge) })
      alignment[member] = learner.subject.best.after(alignment[member])
    }
    state.align(by: alignment)
  }

  /// A function for the loss on a few samples, by which permutations are compared.
  ///
  /// They are the first batches of the first epoch; where samples are sharded, the first thousand of each shard.
  private func judge(
    _ batches: some BatchSource, _ resources: MergeResources
  ) throws -> (Network) throws -> Double {
    if resources.isSharded {
      let sums = try resources.sums(for: "straight-through")
      return { network in
        try sums.sum(of: 1) { [network.totalLoss(on: $0, chunks: 1)] }[0]
      }
    }
    let judges = judges(batches)
    return { network in
      judges.reduce(0) { loss, batch in
        var workspace = Workspace(
          network.graph, capacity: batch.count, threads: resources.threads)
        network.forward(batch.inputs, rows: batch.count, workspace: &workspace)
        return loss + CrossEntropy().evaluate(batch, workspace: &workspace).loss
          * Double(batch.count)
      }
    }
  }

  private func judges(_ source: some BatchSource) -> [Batch] {
    var source = source
    source.startEpoch(1)
    return (0..<min(10, source.batchesPerEpoch)).map { index in
      var batch = Batch(
        capacity: min(source.batchSize, source.sampleCount), features: source.features)
      source.fill(&batch, with: index)
      return batch
    }
  }
}

/// The search for one member's permutations: the network midway learns, and θ̃ moves in the permuted member's place.
private struct StraightThroughSearch: Learnable {
  /// The network midway between the reference and the permuted member.
  var network: Network

  /// The permutations of the lowest loss so far.
  private(set) var best: [Permutation]

  private let reference: Network
  private let matcher: WeightMatcher
  private let learningRate: Float
  private var random: RandomStream
  private var permutations: [Permutation]
  /// The member, permuted by them.
  private var permuted: Network
  /// θ̃, which the member is matched to.
  private var target: Network
  private var lowestLoss = Double.infinity
  private var optimizer: SGD

  init(
    _ reference: Network, _ member: Network, learningRate: Float, seed: UInt64, member number: Int
  ) throws(MergeError) {
    self.reference = reference
    self.learningRate = learningRate
    target = reference
    network = reference
    permuted = member
    matcher = WeightMatcher(reference.graph)
    // Weight matching's own stream, so that the first match is what that method finds.
    random = RandomStream(seed: seed, "weight matching", number)
    permutations = reference.graph.symmetry.identity
    best = permutations
    optimizer = SGD(reference.graph, momentum: 0.9, weightDecay: 0)
    try match()
  }

  private mutating func match() throws(MergeError) {
    let found = try matcher.match(permuted, to: target, random: &random)
    if found.movesUnits {
      permuted = permuted.permuted(by: found)
      permutations = found.after(permutations)
    }
    network.parameters = interpolate(reference.parameters, permuted.parameters, at: 0.5)
  }

  mutating func move(against gradient: [Float], factor: Float, with team: any Team) throws {
    // Half of the midpoint is the permuted member, in whose place θ̃ moves.
    optimizer.step(
      &target.parameters, gradient: gradient, learningRate: learningRate * factor / 2)
    try match()
  }

  /// Keeps the permutations if the midpoint's loss on some samples is the lowest so far.
  mutating func judge(_ loss: (Network) throws -> Double) rethrows {
    let loss = try loss(network)
    guard loss < lowestLoss else { return }
    (lowestLoss, best) = (loss, permutations)
  }

  var state: [LearnerState.Array] {
    [
      .init("target", target.parameters), .init("velocity", optimizer.velocity),
      .init("permuted", permuted.parameters),
    ]
  }

  mutating func restore(_ state: LearnerState) throws(LearnerStateError) {
    throw LearnerStateError("a straight-through search starts anew; it is short")
  }
}
