import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

/// Members with samples of their own: nothing but sums leaves a worker, and what comes out does not depend on who has what.
@Suite struct ShardTests {
  struct Problem {
    let members: [Network]
    let all: RandomBatches
    /// How many samples each member has, one after another.
    let counts: [Int]
    let batchSize: Int

    init(_ text: String, counts: [Int] = [300, 40, 1210, 150], batchSize: Int = 200) throws {
      let graph = try #require(Graph(text))
      members = counts.indices.map { randomNetwork(graph, seed: $0) }
      all = RandomBatches(
        labelledBy: randomNetwork(graph, seed: 9), count: counts.reduce(0, +), seed: 1,
        batchSize: batchSize)
      (self.counts, self.batchSize) = (counts, batchSize)
    }

    /// What a worker has: its members' samples, and no others.
    func resources(_ team: any Team, sharded isSharded: Bool = true) -> MergeResources {
      let classes = members[0].graph.outputs
      guard isSharded else {
        return MergeResources(
          team: team, batches: all,
          taughtBatches: { _ in UniformlyTaught(all, classes: classes) },
          samples: SamplesInMemory(all.inputs, labels: all.labels, features: all.features))
      }
      let source = ShardedRandomBatches(
        all, counts: counts, batchSize: batchSize, team: team, classes: classes)
      var resources = MergeResources(
        team: team, batches: source, taughtBatches: { _ in source.taught })
      resources.sums = SampleSums(source.samples, counts: counts, team: team)
      // A rank's own would differ; all must agree on it.
      resources.validate = { network in
        try team.sum(counts.count, of: 1, phase: "validate") {
          [Double($0) * Double(network.parameters[0])]
        }[0]
      }
      return resources
    }

    func alone(_ chain: String, threads: Int = 1, sharded isSharded: Bool = true) throws
      -> MergeState
    {
      var runner = try ChainRunner(members)
      return try runner.run(
        try MethodChain(parsing: chain).settingDefault("epochs", to: "1"),
        in: LocalSurroundings(resources(ThreadTeam(threads: threads), sharded: isSharded))
      ).state
    }
  }

  static let graphs = ["8-20-5", "8-16-12-5", "residual:8-10x2-5"]

  @Test(arguments: graphs)
  func `every method gives the same bytes on 1, 2, 3 and 5 workers`(text: String) throws {
    let problem = try Problem(text)
    let chains =
      MethodCatalog.standard.methods.filter {
        $0.needs != .nothing && $0.problem(for: problem.members[0].graph) == nil
      }.map(\.name)
      + [
        "fine-tune(every=1)", "fine-tune-both(epochs=3,every=2)",
        "neuron-selection(width=0.5,head=labels)", "neuron-selection(width=2,selection=sketch)",
        "neuron-selection(selection=products),refit-head-labels", "c2m3,fine-tune",
        "neuron-selection(head=logistic)", "refit-head-labels(fit=logistic)",
        "neuron-selection(width=1.5),c2m3,permavg", "random-network,fine-tune,refit-head",
        "naive,neuron-selection(width=2),refit-head,fine-tune",
      ]
    for chain in chains {
      let expected = try problem.alone(chain)
      #expect(try problem.alone(chain, threads: 3).network == expected.network, "\(chain)")
      for size in [2, 3, 5] {
        let states = onWorkers(size) { worker in
          var runner = try ChainRunner(problem.members)
          let surroundings = WorkerSurroundings(worker: worker) { problem.resources($0) }
          let chain = try MethodChain(parsing: chain).settingDefault("epochs", to: "1")
          return try runner.run(chain, in: surroundings).state
        }
        #expect(states.count == size)
        for state in states {
          let state = try state.get()
          #expect(state.network == expected.network, "\(chain) on \(size) workers")
          #expect(state.alignment == expected.alignment && state.curves == expected.curves)
        }
      }
    }
  }

  /// Sums over shards are sums over all samples.
  @Test(
    arguments: [
      "activation-matching", "weight-matching,repair", "rescale", "least-squares", "refit-head",
      "refit-head-labels(ridge=0.001)", "refit-head-labels(fit=logistic,ridge=0.001)",
      "neuron-selection(selection=products)",
      "neuron-selection(width=2,selection=products,head=labels)",
    ], graphs)
  func `what is a sum comes out as if one worker had all samples`(chain: String, text: String)
    throws
  {
    let problem = try Problem(text)
    let (whole, sharded) = (try problem.alone(chain, sharded: false), try problem.alone(chain))
    #expect(whole.alignment == sharded.alignment)
    let inputs = normals(100 * 8, seed: 5)
    let (a, b) = (
      logits(whole.network, inputs, rows: 100), logits(sharded.network, inputs, rows: 100)
    )
    let size = a.map(abs).max() ?? 0
    #expect(largestDifference(a, b) < 1e-2 * size, "\(largestDifference(a, b) / size)")
  }

  /// With one batch an epoch both see all samples at the only step.
  @Test(arguments: ["unit-weights", "unit-weights-both", "fine-tune", "permavg", "fine-tune-both"])
  func `a step over shards is the step over all samples`(method: String) throws {
    let problem = try Problem("8-20-5", batchSize: 2000)
    let (whole, sharded) = (
      try problem.alone(method, sharded: false), try problem.alone(method)
    )
    let moved = largestDifference(
      whole.network.parameters, try problem.alone("\(method)(epochs=0)").network.parameters)
    let apart = largestDifference(whole.network.parameters, sharded.network.parameters)
    #expect(moved > 1e-3 && apart < 2e-3 * moved, "\(apart) of \(moved)")
    let (a, b) = (whole.curves[0].epochs[0], sharded.curves[0].epochs[0])
    #expect(abs(a.loss - b.loss) < 1e-5 * a.loss && a.accuracy == b.accuracy)
  }

  /// Local SGD by hand: each shard from the same start, and the mean weighted by samples.
  @Test func `members that train apart meet in their mean`() throws {
    let problem = try Problem("8-20-5")
    let found = try problem.alone("naive,fine-tune(epochs=2,every=1,schedule=constant)")
    let source = ShardedRandomBatches(
      problem.all, counts: problem.counts, batchSize: problem.batchSize, team: ThreadTeam(),
      classes: 5)
    var network = try problem.alone("naive").network
    for epoch in 1...2 {
      var sum = [Float](repeating: 0, count: network.parameters.count)
      for shard in problem.counts.indices {
        let own = source.shard(shard)
        var learner = Learner(
          GradientDescent(network, learningRate: 0.1, momentum: 0.9, weightDecay: 1e-5),
          schedule: .constant, steps: own.batchesPerEpoch, batchSize: problem.batchSize)
        try learner.learn(from: own, minimizing: CrossEntropy())
        accumulate(
          learner.subject.network.parameters,
          scale: Float(problem.counts[shard]) / Float(problem.counts.reduce(0, +)), into: &sum)
      }
      network.parameters = sum
      #expect(found.curves[0].epochs[epoch - 1].epoch == epoch)
    }
    #expect(largestDifference(found.network.parameters, network.parameters) < 1e-5)
    let error = #expect(throws: MergeError.self) {
      try problem.alone("fine-tune(every=1)", sharded: false)
    }
    #expect(error?.description.contains("all learn from the same images") == true)
  }

  /// What travels for a step of unit weights is their gradient, not the network's.
  @Test func `a step of unit weights sends as many numbers as there are unit weights`() throws {
    let problem = try Problem("8-20-5")
    let mean = try UnitWeightedMean(problem.members, learningRate: 0.01, with: ThreadTeam())
    // a of 20 + 5 units and c of 20 for each of 4 members, and t of 25.
    #expect(mean.contributionCount == 4 * (25 + 20) + 25)
    let gradient = normals(mean.network.parameters.count, seed: 1)
    let own = mean.contribution(of: gradient)
    let other = normals(mean.network.parameters.count, seed: 2)
    var sum = gradient
    accumulate(other, into: &sum)
    var added = own
    accumulate(mean.contribution(of: other), into: &added)
    #expect(largestDifference(mean.contribution(of: sum), added) < 1e-5)
  }

  // MARK: - Widths

  @Test(arguments: [1, 2, 4]) func `all units of all members are the ensemble`(count: Int) throws {
    let problem = try Problem("8-20-5", counts: Array(repeating: 100, count: count))
    for isSharded in [false, true] {
      let merged = try problem.alone("neuron-selection(width=\(count))", sharded: isSharded).network
      #expect(merged.graph.description == "8-\(20 * count)-5")
      let inputs = normals(50 * 8, seed: 5)
      let ensemble = mean(of: problem.members.map { logits($0, inputs, rows: 50) })
      #expect(largestDifference(logits(merged, inputs, rows: 50), ensemble) < 1e-4)
    }
  }

  @Test func `wider selections are nearer to the ensemble`() throws {
    let problem = try Problem("8-20-5")
    let inputs = normals(500 * 8, seed: 5)
    let ensemble = mean(of: problem.members.map { logits($0, inputs, rows: 500) })
    let errors = try ["0.5", "1", "2", "3"].map { width -> Float in
      let merged = try problem.alone("neuron-selection(width=\(width),selection=products)").network
      #expect(merged.graph.symmetry.groups[0].count == Int(20 * (Double(width) ?? 0)))
      let own = logits(merged, inputs, rows: 500)
      return zip(own, ensemble).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    }
    for (wide, narrow) in zip(errors.dropFirst(), errors) { #expect(wide < narrow, "\(errors)") }
  }

  @Test func `a network of other widths is refused by what compares units, in words`() throws {
    let problem = try Problem("8-20-5")
    for method in ["repair", "rescale", "least-squares", "restore-lengths"] {
      let error = #expect(throws: MergeError.self) {
        try problem.alone("neuron-selection(width=2),\(method)")
      }
      #expect(error?.description.contains("made it 8-40-5, where members are 8-20-5") == true)
    }
    let error = #expect(throws: MergeError.self) {
      try problem.alone("neuron-selection(width=4.5)")
    }
    #expect(error?.description.contains("there are 4 members") == true)
  }
}

/// Shards of random samples, of which a worker has its own.
struct ShardedRandomBatches: BatchSource {
  let batchSize: Int
  var features: Int { all.features }
  private let all: RandomBatches
  private let counts: [Int]
  private let owner: [Bool]
  private let classes: Int
  private var isTaught = false

  init(_ all: RandomBatches, counts: [Int], batchSize: Int, team: any Team, classes: Int) {
    (self.all, self.counts, self.batchSize, self.classes) = (all, counts, batchSize, classes)
    owner = counts.indices.map { team.worker(of: $0) == team.rank }
  }

  var taught: ShardedRandomBatches {
    var result = self
    result.isTaught = true
    return result
  }

  private func places(_ shard: Int) -> Range<Int> {
    let start = counts[..<shard].reduce(0, +)
    return start..<start + counts[shard]
  }

  var samples: [(any Samples)?] {
    counts.indices.map { shard in
      guard owner[shard] else { return nil }
      let places = places(shard)
      return SamplesInMemory(
        Array(all.inputs[places.lowerBound * features..<places.upperBound * features]),
        labels: Array(all.labels[places]), features: features)
    }
  }

  var sampleCount: Int { counts.reduce(0, +) }
  var batchesPerEpoch: Int { (sampleCount + batchSize - 1) / batchSize }
  var shardCounts: [Int] { counts }

  func shard(_ number: Int) -> any BatchSource {
    precondition(owner[number])
    return ShardedRandomBatches.Shard(all: self, number: number)
  }

  /// One shard's samples, in their order.
  struct Shard: BatchSource {
    let all: ShardedRandomBatches
    let number: Int

    var batchSize: Int { all.batchSize }
    var features: Int { all.features }
    var sampleCount: Int { all.counts[number] }
    var batchesPerEpoch: Int { (sampleCount + batchSize - 1) / batchSize }

    func startEpoch(_ epoch: Int) {}

    func fill(_ batch: inout Batch, with index: Int, rows: Range<Int>) {
      let start = index * batchSize
      all.write(
        number, start + rows.lowerBound..<min(start + rows.upperBound, sampleCount), to: &batch)
    }
  }

  func startEpoch(_ epoch: Int) {}

  private func range(_ shard: Int, _ index: Int) -> Range<Int> {
    index * counts[shard] / batchesPerEpoch..<(index + 1) * counts[shard] / batchesPerEpoch
  }

  func parts(ofBatch index: Int) -> [Range<Int>] {
    var end = 0
    return counts.indices.map { shard in
      defer { end += range(shard, index).count }
      return end..<end + range(shard, index).count
    }
  }

  func count(ofBatch index: Int) -> Int { parts(ofBatch: index).last?.upperBound ?? 0 }

  func fill(_ batch: inout Batch, with index: Int, rows: Range<Int>) {
    guard let shard = parts(ofBatch: index).firstIndex(of: rows), owner[shard] else {
      preconditionFailure("rows \(rows) are another worker's")
    }
    write(shard, range(shard, index), to: &batch)
  }

  private func write(_ shard: Int, _ own: Range<Int>, to batch: inout Batch) {
    let start = places(shard).lowerBound
    batch.count = own.count
    batch.inputs.replaceSubrange(
      0..<own.count * features,
      with: all.inputs[(start + own.lowerBound) * features..<(start + own.upperBound) * features])
    batch.labels.replaceSubrange(
      0..<own.count, with: all.labels[start + own.lowerBound..<start + own.upperBound])
    if isTaught {
      batch.targets = Array(repeating: 1 / Float(classes), count: batch.capacity * classes)
    }
  }
}
