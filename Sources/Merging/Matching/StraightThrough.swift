import Networks

extension MergingMethod {
  public static let straightThrough = MergingMethod(
    name: "straight-through",
    summary: "the mean after matching each member to member 0 for the loss midway between them",
    needsData: true
  ) { StraightThrough($0.matching) }
}

/// Git Re-Basin's straight-through matching of every member to the first (Ainsworth, Hayase & Srinivasa 2023,
/// algorithm 2).
///
/// A copy θ̃ of member 0 is trained so that the permutation π that weight matching finds of a member to it lowers the
/// loss at ½ (θ_0 + π(θ_m)): π is kept fixed in the backward pass, whose gradient moves θ̃ instead. The π of the lowest loss
/// is kept, the start's included, so the result is never worse than weight matching on the batches it is judged by: the first
/// ones of the first epoch.
public struct StraightThrough: Merger {
  public let settings: MatchingSettings

  /// The method with its settings.
  public init(_ settings: MatchingSettings) { self.settings = settings }

  public func apply(to merge: inout Merge, in context: MergeContext) throws {
    guard let batches = context.batches else {
      throw MergeError("straight-through learns from training data, and there is none")
    }
    let aligned = merge.alignedMembers
    var permutations = merge.permutations
    let searches = aligned.count - 1
    for member in aligned.indices.dropFirst() {
      var search = StraightThroughSearch(
        aligned[0], aligned[member], batchSize: min(batches.batchSize, batches.sampleCount),
        seed: context.seed, member: member, threads: context.threads)
      let judges = judges(batches)
      search.judge(judges)
      learn(
        from: batches, epochs: settings.straightThroughEpochs,
        onStep: { done, total in
          context.onStep((member - 1) * total + done, searches * total)
        },
        step: { batch, step, total in
          search.step(
            batch,
            learningRate: settings.straightThroughLearningRate
              * LearningRateSchedule.cosine.factor(step: step, of: total))
        }, endEpoch: { _, _ in search.judge(judges) })
      permutations[member] = zip(search.best, permutations[member]).map { $0.after($1) }
    }
    merge.align(by: permutations)
  }

  /// A few batches that permutations are compared on.
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

/// The search for one member's permutations.
private struct StraightThroughSearch {
  /// The permutations of the lowest loss so far.
  private(set) var best: [Permutation]

  private let reference: Network
  private let matcher: WeightMatcher
  private var random: RandomStream
  private var permutations: [Permutation]
  /// The member, permuted by them.
  private var permuted: Network
  /// θ̃, which the member is matched to.
  private var target: Network
  private var midpoint: Network
  private var lowestLoss = Double.infinity
  private var workspace: Workspace
  private var gradient: [Float]
  private var optimizer: SGD

  init(
    _ reference: Network, _ member: Network, batchSize: Int, seed: UInt64, member number: Int,
    threads: Int
  ) {
    self.reference = reference
    target = reference
    midpoint = reference
    permuted = member
    matcher = WeightMatcher(reference.architecture)
    // Weight matching's own stream, so that the first match is what that method finds.
    random = RandomStream(seed: seed, "weight matching", number)
    permutations = reference.architecture.hiddenWidths.map(Permutation.identity)
    best = permutations
    workspace = Workspace(reference.architecture, capacity: batchSize, threads: threads)
    gradient = Array(repeating: 0, count: reference.parameters.count)
    optimizer = SGD(count: gradient.count, momentum: 0.9, weightDecay: 0)
    match()
  }

  private mutating func match() {
    let found = matcher.match(permuted, to: target, random: &random)
    if found.contains(where: { $0.fixedPoints < $0.count }) {
      permuted = permuted.permuted(by: found)
      permutations = zip(found, permutations).map { $0.after($1) }
    }
    midpoint.parameters = interpolate(reference.parameters, permuted.parameters, at: 0.5)
  }

  mutating func step(_ batch: Batch, learningRate: Float) -> LossValue {
    let value = run(batch)
    midpoint.backward(
      batch.inputs, rows: batch.count, workspace: &workspace, gradient: &gradient)
    // Half of the midpoint is the permuted member, in whose place θ̃ moves.
    optimizer.step(&target.parameters, gradient: gradient, learningRate: learningRate / 2)
    match()
    return value
  }

  /// Keeps the permutations if the midpoint's loss on some batches is the lowest so far.
  mutating func judge(_ batches: [Batch]) {
    let loss = batches.reduce(0) { $0 + run($1).loss * Double($1.count) }
    guard loss < lowestLoss else { return }
    (lowestLoss, best) = (loss, permutations)
  }

  private mutating func run(_ batch: Batch) -> LossValue {
    midpoint.forward(batch.inputs, rows: batch.count, workspace: &workspace)
    return CrossEntropy().evaluate(batch, workspace: &workspace)
  }
}
