import Networks
import Tensors

/// The learned matrices of PermAVG, and the merged network that follows from them.
struct PermutationLearner: Learnable {
  /// The soft permutations [member − 1][group], flat, with the optimiser of each.
  private var learned: [LearnedMatrix]
  /// The relative residual at which the gradient's solver stops.
  ///
  /// The default is far below the noise of a batch.
  var solverTolerance = 1e-3

  private let settings: PermAVGSettings
  private let groupCount: Int
  private let threads: Int
  private var average: PermutedAverage

  /// A learner before its first step.
  ///
  /// - Parameters:
  ///   - members: networks of one graph, by member number.
  ///   - settings: of the method.
  ///   - threads: how many threads may compute; results do not depend on it.
  ///   - logits: where each X starts, [member − 1][group]; nil for the identity.
  /// - Throws: what the first merge throws.
  init(
    _ members: [Network], settings: PermAVGSettings, threads: Int, logits: [[Matrix]]? = nil
  ) throws {
    let graph = members[0].graph
    let sizes = graph.symmetry.groups.map(\.count)
    self.settings = settings
    groupCount = sizes.count
    self.threads = threads
    let start = logits ?? members.dropFirst().map { _ in sizes.map(Matrix.identity) }
    precondition(
      start.map { $0.map(\.rows) } == members.dropFirst().map { _ in sizes },
      "\(members.count) members of \(graph) were given logits for \(start.map(\.count))")
    learned = start.joined().map { LearnedMatrix(logits: $0, settings: settings.sinkhorn) }
    average = PermutedAverage(
      members, threads: threads,
      unitWeights: settings.unitLearningRate.map { _ in
        UnitWeights(graph, members: members.count)
      })
    try average.merge(permutations)
  }

  /// The merged network of the matrices and weights as they are.
  var network: Network {
    get { average.network }
    set { average.network = newValue }
  }

  /// The mean of permuted members, with the units' weights as learned.
  func average(of permuted: [Network]) throws -> Network { try average.average(of: permuted) }

  /// τ of every matrix.
  var temperature: Float {
    get { learned.first?.soft.settings.temperature ?? settings.sinkhorn.temperature }
    set {
      guard newValue != temperature else { return }
      updateEach { _, matrix in matrix.soft.settings.temperature = newValue }
    }
  }

  /// Draws the members' shares from a symmetric Dirichlet distribution, for the next step.
  mutating func drawShares(concentration: Float, from random: inout RandomStream) throws {
    average.shares = random.dirichlet(average.members.count, concentration: concentration)
    try average.merge(permutations)
  }

  /// Gives every member the same share again.
  mutating func shareEqually() throws {
    let equal = [Float](
      repeating: 1 / Float(average.members.count), count: average.members.count)
    guard average.shares != equal else { return }
    average.shares = equal
    try average.merge(permutations)
  }

  /// The matrices P[member − 1][group].
  var permutations: [[Matrix]] {
    guard groupCount > 0 else { return Array(repeating: [], count: average.members.count - 1) }
    return stride(from: 0, to: learned.count, by: groupCount).map { start in
      learned[start..<start + groupCount].map(\.soft.matrix)
    }
  }

  /// The mean over rows of the largest entry.
  var sharpness: Double {
    guard !learned.isEmpty else { return 1 }
    return learned.reduce(0) { $0 + $1.sharpness } / Double(learned.count)
  }

  /// Moves every X, and the units' weights, one step of Adam.
  mutating func move(against gradient: [Float], factor: Float, with team: any Team) throws {
    try average.pullBack(gradient)
    let gradients = logitGradients(from: gradient)
    let learningRate = settings.learningRate * factor
    updateEach { index, matrix in
      matrix.move(against: gradients[index], learningRate: learningRate)
    }
    if let rate = settings.unitLearningRate {
      average.stepUnitWeights(learningRate: rate * factor)
    }
    try average.merge(permutations)
  }

  /// The gradient of the loss with respect to every X, in the order of ``permutations``, from that with respect to the
  /// merged network's parameters.
  func logitGradients(from gradient: [Float]) -> [Matrix] {
    let permutations = permutations
    let matrixGradients = (1..<average.members.count).flatMap {
      average.gradients(member: $0, permutations: permutations, from: gradient)
    }
    return concurrentMap(learned.count, threads: threads) { index in
      learned[index].soft.logitGradient(of: matrixGradients[index], tolerance: solverTolerance)
    }
  }

  /// Changes each matrix, several at a time; each is changed by one thread, so bits do not vary.
  private mutating func updateEach(_ body: @Sendable (Int, inout LearnedMatrix) -> Void) {
    let threads = threads
    learned.withUnsafeMutableBufferPointer { learned in
      // Each index is visited by one thread only.
      nonisolated(unsafe) let learned = learned
      concurrently(learned.count, threads: threads) { body($0, &learned[$0]) }
    }
  }

  var state: [LearnerState.Array] {
    let matrices = learned.enumerated().flatMap { index, matrix in
      [
        LearnerState.Array("logits.\(index)", matrix.soft.logits.elements),
        .init("u.\(index)", matrix.soft.u), .init("v.\(index)", matrix.soft.v),
        .init("first.\(index)", matrix.optimizer.first),
        .init("second.\(index)", matrix.optimizer.second),
      ]
    }
    let steps = Float(learned.first?.optimizer.steps ?? 0)
    return matrices + [.init("matrix steps", [steps]), .init("temperature", [temperature])]
      + (average.unitWeights?.state ?? [])
  }

  mutating func restore(_ state: LearnerState) throws(LearnerStateError) {
    let temperature = try state.array("temperature", count: 1)[0]
    let steps = Int(try state.array("matrix steps", count: 1)[0])
    for index in learned.indices {
      let n = learned[index].soft.count
      learned[index].soft.settings.temperature = temperature
      learned[index].soft.restore(
        logits: try state.array("logits.\(index)", count: n * n),
        u: try state.array("u.\(index)", count: n), v: try state.array("v.\(index)", count: n))
      learned[index].optimizer.restore(
        first: try state.array("first.\(index)", count: n * n),
        second: try state.array("second.\(index)", count: n * n), steps: steps)
    }
    try average.restore(state, permutations)
  }
}

/// One learned matrix and its optimiser.
private struct LearnedMatrix: Sendable {
  var soft: SoftPermutation
  var optimizer: Adam

  init(logits: Matrix, settings: SinkhornSettings) {
    soft = SoftPermutation(logits: logits, settings: settings)
    optimizer = Adam(count: logits.elements.count)
  }

  mutating func move(against gradient: Matrix, learningRate: Float) {
    optimizer.step(
      &soft.logits.elements, gradient: gradient.elements, learningRate: learningRate)
    soft.normalize()
  }

  var sharpness: Double {
    let n = soft.count
    return (0..<n).reduce(0) {
      $0 + Double(soft.matrix.elements[$1 * n..<($1 + 1) * n].max() ?? 0)
    } / Double(n)
  }
}
