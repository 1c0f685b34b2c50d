import Networks
import Synchronization

/// The learned matrices, and one step of learning them.
struct PermutationLearner {
  /// The soft permutations [member − 1][hidden layer], flat, with the optimiser of each.
  private var learned: [LearnedMatrix]
  /// The relative residual at which the gradient's solver stops.
  ///
  /// The default is far below the noise of a batch.
  var solverTolerance = 1e-3

  /// What is made small.
  var loss: any Loss = CrossEntropy()

  private let settings: PermAVGSettings
  private let hiddenCount: Int
  private let threads: Int
  private var average: PermutedAverage
  private var workspace: Workspace
  private var gradient: [Float]

  /// A learner before its first step.
  ///
  /// - Parameters:
  ///   - members: networks of one architecture, by member number.
  ///   - architecture: theirs.
  ///   - settings: of the method.
  ///   - batchSize: the largest batch there will be.
  ///   - threads: how many threads may compute; results do not depend on it.
  ///   - logits: where each X starts, [member − 1][hidden layer]; nil for the identity.
  init(
    _ members: [Network], architecture: Architecture, settings: PermAVGSettings, batchSize: Int,
    threads: Int, logits: [[Matrix]]? = nil
  ) {
    let hidden = architecture.hiddenWidths
    let parallelism = Parallelism.tiled(threads: threads)
    self.settings = settings
    hiddenCount = hidden.count
    self.threads = threads
    let start = logits ?? members.dropFirst().map { _ in hidden.map(Matrix.identity) }
    precondition(
      start.map { $0.map(\.rows) } == members.dropFirst().map { _ in Array(hidden) },
      "\(members.count) members of \(architecture) were given logits for \(start.map(\.count))")
    learned = start.joined().map { LearnedMatrix(logits: $0, settings: settings.sinkhorn) }
    average = PermutedAverage(
      members, architecture: architecture, parallelism: parallelism,
      unitWeights: settings.unitLearningRate.map { _ in
        UnitWeights(architecture, members: members.count, threads: threads)
      })
    workspace = Workspace(architecture, capacity: batchSize, threads: threads)
    gradient = Array(repeating: 0, count: architecture.parameterCount)
    average.merge(permutations)
  }

  /// The merged network of the matrices and weights as they are.
  var network: Network { average.network }

  /// The mean of permuted members, with the units' weights as learned.
  func average(of permuted: [Network]) -> Network { average.average(of: permuted) }

  /// τ of every matrix.
  var temperature: Float {
    get { learned.first?.soft.settings.temperature ?? settings.sinkhorn.temperature }
    set {
      guard newValue != temperature else { return }
      updateEach { _, matrix in matrix.soft.settings.temperature = newValue }
    }
  }

  /// Draws the members' shares from a symmetric Dirichlet distribution, for the next step.
  mutating func drawShares(concentration: Float, from random: inout RandomStream) {
    average.shares = random.dirichlet(average.members.count, concentration: concentration)
    average.merge(permutations)
  }

  /// Gives every member the same share again.
  mutating func shareEqually() {
    let equal = [Float](
      repeating: 1 / Float(average.members.count), count: average.members.count)
    guard average.shares != equal else { return }
    average.shares = equal
    average.merge(permutations)
  }

  /// The matrices P[m − 1][l].
  var permutations: [[Matrix]] {
    guard hiddenCount > 0 else { return Array(repeating: [], count: average.members.count - 1) }
    return stride(from: 0, to: learned.count, by: hiddenCount).map { start in
      learned[start..<start + hiddenCount].map(\.soft.matrix)
    }
  }

  /// The mean over rows of the largest entry.
  var sharpness: Double {
    guard !learned.isEmpty else { return 1 }
    return learned.reduce(0) { $0 + $1.sharpness } / Double(learned.count)
  }

  /// The gradient of the last batch's loss with respect to each X, in the order of ``permutations``.
  private(set) var logitGradients: [Matrix] = []

  /// Runs the merged network on a batch and moves every X, and the units' weights, one step of Adam.
  ///
  /// - Parameters:
  ///   - batch: what is learned from.
  ///   - factor: of the settings' learning rates, at this step.
  /// - Returns: the batch's loss before the step.
  mutating func step(_ batch: Batch, factor: Float) -> LossValue {
    let value = computeGradients(batch)
    let gradients = logitGradients
    let learningRate = settings.learningRate * factor
    updateEach { index, matrix in
      matrix.move(against: gradients[index], learningRate: learningRate)
    }
    if let rate = settings.unitLearningRate {
      average.stepUnitWeights(learningRate: rate * factor)
    }
    average.merge(permutations)
    return value
  }

  /// The loss of the merged network on a batch, and its gradient with respect to every X.
  mutating func computeGradients(_ batch: Batch) -> LossValue {
    let network = average.network
    network.forward(batch.inputs, rows: batch.count, workspace: &workspace)
    let value = loss.evaluate(batch, workspace: &workspace)
    network.backward(
      batch.inputs, rows: batch.count, workspace: &workspace, gradient: &gradient)
    average.pullBack(gradient)
    let permutations = permutations
    let matrixGradients = (1..<average.members.count).flatMap {
      average.gradients(member: $0, permutations: permutations, from: gradient)
    }
    let results = Mutex(matrixGradients)
    let (learned, tolerance) = (learned, solverTolerance)
    concurrently(learned.count, threads: threads) { index in
      let gradient = learned[index].soft.logitGradient(
        of: matrixGradients[index], tolerance: tolerance)
      results.withLock { $0[index] = gradient }
    }
    logitGradients = results.withLock { $0 }
    return value
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
