import Networks
import Synchronization
import Tensors
import Testing
import Training

@testable import Datasets

/// Training one network.
@Suite struct TrainerTests {
  static let settings = TrainingSettings(
    epochs: 3, batchSize: 64, learningRate: 0.05, schedule: .cosine, momentum: 0.9,
    weightDecay: 1e-5, flips: false)

  @Test func `training reaches an accuracy that an untrained network does not`() throws {
    let problem = try SmallProblem()
    var network = problem.network
    let before = problem.accuracy(of: network)
    let records = try Trainer(Self.settings, subject: "member 0")
      .train(&network, on: problem.batches, minimizing: CrossEntropy())
    // Measured: about 0.1 before and 0.9 after.
    #expect(before < 0.3)
    #expect(problem.accuracy(of: network) > 0.7)
    #expect(records.map(\.epoch) == [1, 2, 3])
    #expect(records[2].loss < records[0].loss / 2)
    #expect(records[2].accuracy > records[0].accuracy)
    #expect(records.allSatisfy { $0.validationAccuracy == nil })
  }

  @Test func `a residual network is trained as well`() throws {
    let problem = try SmallProblem()
    let graph = try #require(Graph("residual:784-24x3-10"))
    var network = Network(graph, random: RandomStream(seed: 1, "member", 0))
    let records = try Trainer(Self.settings, subject: "member 0")
      .train(&network, on: problem.batches, minimizing: CrossEntropy())
    #expect(problem.accuracy(of: network) > 0.7)
    #expect(records[2].loss < records[0].loss / 2)
  }

  @Test func `the same seed gives the same bits, another does not`() throws {
    func train(seed: UInt64) throws -> Network {
      let problem = try SmallProblem(seed: seed)
      var network = problem.network
      _ = try Trainer(Self.settings, subject: "member 0")
        .train(&network, on: problem.batches, minimizing: CrossEntropy())
      return network
    }
    let first = try train(seed: 1)
    #expect(try train(seed: 1) == first)
    #expect(try train(seed: 2) != first)
  }

  @Test(arguments: [2, 3])
  func `any number of threads gives the same bits`(threads: Int) throws {
    // Wide enough that products are cut into tiles and the optimiser's pass into parts.
    let graph = try #require(Graph("784-260-130-10"))
    let training = try DatasetName.synthetic.load().training
    func train(threads: Int) throws -> Network {
      var network = Network(graph, random: RandomStream(seed: 1, "test"))
      var batches = ImageBatches(
        Images(training, indices: Array(0..<1100), normalization: .symmetric), batchSize: 512,
        isFlipping: true, seed: 1, purpose: "test")
      batches.threads = threads
      var trainer = Trainer(Self.settings, subject: "member 0")
      trainer.threads = threads
      _ = try trainer.train(&network, on: batches, minimizing: CrossEntropy())
      return network
    }
    #expect(try train(threads: threads) == train(threads: 1))
  }

  @Test func `a record is the mean over samples, not over batches`() throws {
    // Without a step the loss stays what it was, so the epoch's mean is that of the whole set.
    let problem = try SmallProblem()
    var settings = Self.settings
    (settings.epochs, settings.learningRate) = (1, 0)
    var network = problem.network
    let record = try Trainer(settings, subject: "member 0")
      .train(&network, on: problem.batches, minimizing: CrossEntropy())[0]
    #expect(network == problem.network)
    let all = Scores(
      Probabilities(logits: logits(of: network, on: problem.training), classes: 10),
      labels: problem.training.labels)
    #expect(problem.pair.training.count % settings.batchSize != 0)
    #expect(abs(record.loss - all.nll) < 1e-5)
    #expect(record.accuracy == all.accuracy)
  }

  @Test func `progress and validation are told`() throws {
    let problem = try SmallProblem()
    var settings = Self.settings
    settings.epochs = 2
    var trainer = Trainer(settings, subject: "member 0")
    let steps = Mutex([[Int]]())
    trainer.onBatch = { done, total in steps.withLock { $0.append([done, total]) } }
    trainer.validate = { problem.accuracy(of: $0) }
    var network = problem.network
    let records = try trainer.train(&network, on: problem.batches, minimizing: CrossEntropy())
    let total = 2 * problem.batches.batchesPerEpoch
    #expect(steps.withLock { $0 } == (1...total).map { [$0, total] })
    #expect(records.last?.validationAccuracy == problem.accuracy(of: network))
  }

  @Test func `no epochs leave the network as it was`() throws {
    let problem = try SmallProblem()
    var settings = Self.settings
    settings.epochs = 0
    var network = problem.network
    let records = try Trainer(settings, subject: "member 0")
      .train(&network, on: problem.batches, minimizing: CrossEntropy())
    #expect(records.isEmpty)
    #expect(network == problem.network)
  }

  @Test func `a learning rate that is too large is an error that says so`() throws {
    let problem = try SmallProblem()
    var settings = Self.settings
    settings.learningRate = 1e6
    var network = problem.network
    let error = #expect(throws: DivergenceError.self) {
      try Trainer(settings, subject: "member 3")
        .train(&network, on: problem.batches, minimizing: CrossEntropy())
    }
    let text = error?.description ?? ""
    #expect(text.hasPrefix("member 3: the loss became infinite or NaN in epoch"))
    #expect(text.contains("at learning rate 1000000.0; try a smaller --learning-rate"))
  }

  @Test func `distillation without soft targets trains as cross entropy does`() throws {
    let problem = try SmallProblem()
    var settings = Self.settings
    settings.epochs = 1
    let trainer = Trainer(settings, subject: "student")
    var (hard, soft) = (problem.network, problem.network)
    _ = try trainer.train(&hard, on: problem.batches, minimizing: CrossEntropy())
    let targets = SoftTargets(
      classes: 10, values: Array(repeating: 0.1, count: 20 * problem.pair.training.count))
    _ = try trainer.train(
      &soft, on: problem.batches(targets: targets),
      minimizing: DistillationLoss(alpha: 0, temperature: 3))
    #expect(hard != problem.network)
    for (a, b) in zip(hard.parameters, soft.parameters) { #expect(abs(a - b) < 1e-6) }
  }

  @Test func `a student of soft targets alone comes to agree with its teacher`() throws {
    let problem = try SmallProblem()
    var member = problem.network
    _ = try Trainer(Self.settings, subject: "member 0")
      .train(&member, on: problem.batches, minimizing: CrossEntropy())
    let targets = try Teacher(members: [member], combination: .logits, temperature: 3)
      .targets(of: problem.training, with: ThreadTeam(), phase: "test")
    var student = Network(problem.network.graph, random: RandomStream(seed: 9, "student"))
    func disagreement() throws -> Double {
      try #require(
        meanPairwiseDisagreement(
          [member, student].map {
            Probabilities(logits: logits(of: $0, on: problem.test), classes: 10)
          }))
    }
    let before = try disagreement()
    _ = try Trainer(Self.settings, subject: "student").train(
      &student, on: problem.batches(targets: targets),
      minimizing: DistillationLoss(alpha: 1, temperature: 3))
    #expect(before > 0.7)
    #expect(try disagreement() < 0.3)
  }
}

/// A small network and a small synthetic set.
struct SmallProblem {
  let pair: DatasetPair
  let network: Network
  let seed: UInt64

  init(seed: UInt64 = 1) throws {
    pair = try SyntheticImages(trainingCount: 2100, testCount: 500).makePair()
    let graph = try #require(Graph("784-32-10"))
    network = Network(graph, random: RandomStream(seed: seed, "member", 0))
    self.seed = seed
  }

  var training: Images { Images(pair.training, normalization: .symmetric) }
  var test: Images { Images(pair.test, normalization: .symmetric) }

  /// Some of the training images.
  func training(_ indices: [Int]) -> Images {
    Images(pair.training, indices: indices, normalization: .symmetric)
  }

  var batches: ImageBatches { batches(targets: nil) }

  func batches(targets: SoftTargets?) -> ImageBatches {
    ImageBatches(
      training, batchSize: 64, isFlipping: false, targets: targets, seed: seed,
      purpose: "train")
  }

  func accuracy(of network: Network) -> Double {
    Scores(
      Probabilities(logits: logits(of: network, on: test), classes: 10), labels: test.labels
    ).accuracy
  }
}
