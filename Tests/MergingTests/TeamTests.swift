import Networks
import TestSupport
import Testing

@testable import Merging

/// Steps that several workers share: the same bytes as of one, each worker with its parts alone.
@Suite struct TeamTests {
  /// Members, and data of several shards, several batches and several parts a batch.
  struct Problem {
    let members: [Network]
    let batches: RandomBatches
    static let rows = 5300

    init(_ text: String, members count: Int = 4, rows: Int = rows) throws {
      let graph = try #require(Graph(text))
      members = (0..<count).map { randomNetwork(graph, seed: $0) }
      batches = RandomBatches(labelledBy: members[0], count: rows, seed: 1, batchSize: 600)
    }

    func resources(_ team: any Team, _ samples: ReadLog = ReadLog(), _ rows: ReadLog = ReadLog())
      -> MergeResources
    {
      let classes = members[0].graph.outputs
      let batches = batches
      return MergeResources(
        team: team, batches: WatchedBatches(batches, rows),
        taughtBatches: { _ in UniformlyTaught(batches, classes: classes) },
        samples: WatchedSamples(
          SamplesInMemory(batches.inputs, labels: batches.labels, features: batches.features),
          samples),
        validate: { Double($0.parameters[0]) })
    }

    func alone(_ chain: String, threads: Int = 1) throws -> MergeState {
      var runner = try ChainRunner(members)
      return try runner.run(
        try MethodChain(parsing: chain),
        in: LocalSurroundings(resources(ThreadTeam(threads: threads)))
      ).state
    }
  }

  static let shared = [
    "mergemany(restarts=5)", "weight-matching", "activation-matching", "weight-activation-matching",
    "weight-matching,repair", "rescale", "refit-head", "least-squares",
    "weight-matching,unit-weights(epochs=1)", "unit-weights-both(epochs=1)",
  ]
  static let graphs = ["12-30-20-5", "residual:12-16x2-5", TestGraphs.mixed]

  @Test(arguments: shared, graphs)
  func `any number of workers and threads come to the same bytes`(
    chain: String, text: String
  ) throws {
    guard TestGraphs.suits(chain, text) else { return }
    let problem = try Problem(text)
    let expected = try problem.alone(chain)
    #expect(expected.network != (try MergeState(problem.members)).network)
    for (size, threads) in [(1, 1), (1, 3), (2, 1), (3, 2), (5, 1)] {
      let states = onWorkers(size, threads: threads) { worker in
        var runner = try ChainRunner(problem.members)
        let surroundings = WorkerSurroundings(worker: worker) { problem.resources($0) }
        let state = try runner.run(try MethodChain(parsing: chain), in: surroundings).state
        #expect(!surroundings.events.events.contains("share"))
        return state
      }
      #expect(states.count == size)
      for state in states {
        let state = try state.get()
        #expect(state.network == expected.network, "\(size) workers, \(threads) threads")
        #expect(state.alignment == expected.alignment)
        #expect(state.isAligned == expected.isAligned)
        #expect(state.curves == expected.curves)
      }
    }
  }

  /// So wide that unit weights cut the rows of a layer.
  @Test func `wide layers are cut into parts that do not depend on workers either`() throws {
    let problem = try Problem("20-300-260-5", members: 3, rows: 700)
    let expected = try problem.alone("unit-weights(epochs=1)")
    for (size, threads) in [(1, 2), (2, 1), (5, 2)] {
      let results = onWorkers(size, threads: threads) { worker in
        let merge = try WeightedAverage(
          LearningSettings(epochs: 1, learningRate: 0.01, schedule: .cosine), objective: .labels,
          name: "unit-weights"
        ).merge(problem.members, with: problem.resources(worker))
        return (merge.network, worker.log.calls)
      }
      for result in results {
        let (network, calls) = try result.get()
        #expect(network == expected.network)
        #expect(calls.filter { $0.phase == "share means" }.allSatisfy { $0.count == 4 })
        #expect(calls.contains { $0.phase == "share gradients" && $0.count == 3 })
      }
    }
  }

  @Test(arguments: [1, 2, 3, 5])
  func `a worker computes its parts, and reads the samples of no others`(size: Int) throws {
    let problem = try Problem("12-30-5")
    let shards = SampleShards(sampleCount: Problem.rows)
    #expect(shards.count == 6)
    let chains: [(text: String, sums: Int)] = [
      ("activation-matching", 1), ("repair", 1), ("least-squares", 1), ("refit-head", 1),
      ("weight-activation-matching", 1),
    ]
    for (chain, sums) in chains {
      let logs = onWorkers(size) { worker in
        let samples = ReadLog()
        var runner = try ChainRunner(problem.members)
        let surroundings = WorkerSurroundings(worker: worker) { problem.resources($0, samples) }
        _ = try runner.run(try MethodChain(parsing: chain), in: surroundings)
        return (samples.reads(of: Problem.rows), worker.log.calls)
      }
      for (rank, log) in logs.enumerated() {
        let (reads, calls) = try log.get()
        let statistics = calls.filter { $0.phase == "share statistics" }
        #expect(statistics.count == sums && statistics.allSatisfy { $0.count == 6 })
        for shard in 0..<6 {
          for chunk in shards.chunks(of: shard) {
            let own = shard % size == rank ? sums : 0
            #expect(chunk.allSatisfy { reads[$0] == own }, "\(chain), shard \(shard), rank \(rank)")
          }
        }
      }
    }
  }

  @Test(arguments: [1, 2, 3, 5])
  func `a worker learns from its rows of a batch alone`(size: Int) throws {
    let problem = try Problem("12-30-5")
    let logs = onWorkers(size) { worker in
      let rows = ReadLog()
      let step = WeightedAverage(
        LearningSettings(epochs: 2, learningRate: 0.01, schedule: .cosine), objective: .labels,
        name: "unit-weights")
      _ = try step.merge(problem.members, with: problem.resources(worker, ReadLog(), rows))
      return (rows.reads(of: Problem.rows), worker.log.calls)
    }
    var total = [Int](repeating: 0, count: Problem.rows)
    for log in logs {
      let (reads, calls) = try log.get()
      for (row, count) in reads.enumerated() { total[row] += count }
      // Nine batches an epoch: eight of 600 in three parts, one of 500 in two.
      let shared = calls.filter { $0.phase == "share gradients" }
      #expect(
        shared.map(\.count)
          == Array(repeating: [3, 3, 3, 3, 3, 3, 3, 3, 2], count: 2).flatMap { $0 })
      for call in shared { #expect(call.own.allSatisfy { $0 % size == call.own[0] % size }) }
    }
    #expect(total.allSatisfy { $0 == 2 })
    for (rank, log) in logs.enumerated() where size == 3 {
      let reads = try log.get().0
      for batch in 0..<8 {
        for row in 0..<600 { #expect(reads[batch * 600 + row] == (row / 200 == rank ? 2 : 0)) }
      }
    }
  }

  @Test(arguments: [
    ("mergemany(restarts=7)", 7), ("weight-matching", 4), ("activation-matching", 3),
  ])
  func `assignments are shared out by restart or member`(chain: String, parts: Int) throws {
    let problem = try Problem("12-30-5")
    for size in [1, 2, 3, 5] {
      let logs = onWorkers(size) { worker in
        var runner = try ChainRunner(problem.members)
        _ = try runner.run(
          try MethodChain(parsing: chain),
          in: WorkerSurroundings(worker: worker) { problem.resources($0) })
        return worker.log.calls
      }
      for (rank, log) in logs.enumerated() {
        let calls = try log.get().filter { $0.phase == "share assignments" }
        #expect(
          calls == [
            CallLog.Call(
              phase: "share assignments", count: parts,
              own: Array(stride(from: rank, to: parts, by: size)))
          ])
      }
    }
  }

  @Test(arguments: [1, 2, 3, 5])
  func `parts are added in their order`(size: Int) throws {
    // In another order the one is lost.
    let parts = [1e20, -1e20, 1.0]
    let sums = onWorkers(size) { worker in
      try worker.sum(3, of: 1, phase: "test") { [parts[$0]] }
    }
    for sum in sums { #expect(try sum.get() == [1]) }
    #expect(try ThreadTeam(threads: size).sum(3, of: 1, phase: "test") { [parts[$0]] } == [1])
  }

  /// Parts of 171 and 172 samples, so that each has to count by its size.
  @Test func `a batch that is shared out has the gradient of one that is computed whole`() throws {
    let network = randomNetwork(try #require(Graph("12-30-5")), seed: 1)
    let batches = RandomBatches(
      labelledBy: randomNetwork(network.graph, seed: 2), count: 515, seed: 3, batchSize: 515)
    func learner() -> Learner<GradientRecord> {
      Learner(GradientRecord(network), schedule: .constant, steps: 1, batchSize: 515)
    }
    var (whole, shared) = (learner(), learner())
    var averages: [EpochAverages] = []
    try whole.learn(
      from: batches, minimizing: CrossEntropy(), endEpoch: { _, epoch, _ in averages.append(epoch) }
    )
    try shared.learn(
      from: batches, minimizing: CrossEntropy(), with: ThreadTeam(threads: 2),
      endEpoch: { _, epoch, _ in averages.append(epoch) })
    #expect(
      relativeDifference(shared.subject.gradient, whole.subject.gradient.map(Double.init)) < 1e-5)
    #expect(whole.subject.gradient.contains { $0 != 0 })
    #expect(averages.count == 2 && averages[0].accuracy == averages[1].accuracy)
    #expect(abs(averages[0].loss - averages[1].loss) < 1e-6 * averages[0].loss)
  }

  // MARK: - Chains

  @Test(arguments: [
    "c2m3,repair", "c2m3,permavg(epochs=1),unit-weights(epochs=1)",
    "weight-matching,neuron-selection,least-squares", "c2m3,repair,greedy-soup,refit-head",
    "weight-matching,best-member,fine-tune(epochs=1),rescale", "permavg(epochs=1),repair",
    "straight-through(epochs=1),weight-matching,least-squares",
  ])
  func `what the first worker did alone is known to shared steps after it`(chain: String) throws {
    for text in ["12-30-5", "residual:12-16x2-5"] {
      let problem = try Problem(text, rows: 1300)
      let expected = try problem.alone(chain)
      for size in [1, 2, 3] {
        let runs = onWorkers(size) { worker in
          var runner = try ChainRunner(problem.members)
          let surroundings = WorkerSurroundings(worker: worker) { problem.resources($0) }
          let state = try runner.run(try MethodChain(parsing: chain), in: surroundings).state
          return (state, surroundings.events.events)
        }
        for (rank, run) in runs.enumerated() {
          let (state, events) = try run.get()
          // The last step of each chain is shared, so everybody has its result.
          #expect(state.network == expected.network, "rank \(rank) of \(size)")
          #expect(state.alignment == expected.alignment && state.isAligned == expected.isAligned)
          if rank == 0 {
            #expect(state.curves == expected.curves)
            #expect(state.softPermutations == expected.softPermutations)
          }
          #expect(
            events == Self.events(of: try MethodChain(parsing: chain), rank: rank, size: size))
        }
      }
    }
  }

  /// What is to happen on a worker.
  private static func events(of chain: MethodChain, rank: Int, size: Int) -> [String] {
    var isRootAhead = false
    return chain.links.flatMap { link -> [String] in
      let prepared = ["prepare \(link.method.name)"]
      guard link.method.isShared else {
        isRootAhead = size > 1
        return prepared + (rank == 0 ? ["\(link.method.name) by 1"] : [])
      }
      defer { isRootAhead = false }
      return prepared + (isRootAhead ? ["share"] : []) + ["\(link.method.name) by \(size)"]
    }
  }

  @Test func `several chains that begin alike share what one worker did, each time anew`() throws {
    let problem = try Problem("12-30-5", rows: 1300)
    let chains = [
      "c2m3", "c2m3,repair", "c2m3,least-squares", "c2m3,repair,unit-weights(epochs=1)",
    ]
    let expected = try chains.map { try problem.alone($0) }
    let runs = onWorkers(3) { worker in
      var runner = try ChainRunner(problem.members)
      let surroundings = WorkerSurroundings(worker: worker) { problem.resources($0) }
      let states = try chains.map {
        try runner.run(try MethodChain(parsing: $0), in: surroundings).state
      }
      return (states, surroundings.events.events)
    }
    for (rank, run) in runs.enumerated() {
      let (states, events) = try run.get()
      for (place, state) in states.enumerated() where rank == 0 || place > 0 {
        #expect(state.network == expected[place].network, "\(chains[place]), rank \(rank)")
        #expect(state.alignment == expected[place].alignment)
      }
      #expect(events.filter { $0 == "c2m3 by 1" }.count == (rank == 0 ? 1 : 0))
      #expect(events.filter { $0 == "repair by 3" }.count == 1)
      #expect(events.filter { $0 == "share" }.count == 2)
    }
  }

  @Test func `what goes wrong on the first worker goes wrong on all`() throws {
    let problem = try Problem("12-30-5", rows: 1300)
    let runs = onWorkers(3) { worker in
      var runner = try ChainRunner(problem.members)
      let surroundings = WorkerSurroundings(worker: worker) { MergeResources(team: $0) }
      return try runner.run(try MethodChain(parsing: "greedy-soup,repair"), in: surroundings).state
    }
    #expect(runs.count == 3)
    for run in runs {
      let error = #expect(throws: MergeError.self) { try run.get() }
      #expect(error?.description.hasPrefix("greedy-soup chooses on held-out images") == true)
    }
  }

  @Test func `what goes wrong in one worker's part goes wrong on all`() throws {
    let problem = try Problem("12-30-5", rows: 1300)
    let runs = onWorkers(3) { worker in
      try worker.map(4, phase: "test") { part in
        guard part != 2 else { throw MergeError("part 2") }
        return problem.members[part].parameters
      }
    }
    for run in runs {
      let error = #expect(throws: MergeError.self) { try run.get() }
      #expect(error?.description == "part 2")
    }
  }

  /// Weights so large that products overflow: in shared steps too an error on every worker, and none waits for another.
  @Test(arguments: ["activation-matching", "weight-activation-matching", "repair", "least-squares"])
  func `huge weights are an error on all workers`(chain: String) throws {
    var problem = try Problem("12-30-20-5", rows: 1300)
    problem = Problem(scaling: problem, by: 1e30)
    let runs = onWorkers(3) { [problem] worker in
      var runner = try ChainRunner(problem.members)
      let surroundings = WorkerSurroundings(worker: worker) { problem.resources($0) }
      return try runner.run(try MethodChain(parsing: chain), in: surroundings).state
    }
    for run in runs {
      let error = #expect(throws: MergeError.self) { try run.get() }
      #expect(error?.isAboutWeights == true)
    }
  }
}

extension TeamTests.Problem {
  fileprivate init(scaling problem: Self, by factor: Float) {
    members = problem.members.map { member in
      Network(member.graph, parameters: member.parameters.map { $0 * factor })
    }
    batches = problem.batches
  }
}

/// Keeps the gradient that it is given, and moves nothing.
private struct GradientRecord: Learnable {
  var network: Network
  private(set) var gradient: [Float] = []

  init(_ network: Network) { self.network = network }

  mutating func move(against gradient: [Float], factor: Float, with team: any Team) {
    self.gradient = gradient
  }

  var state: [LearnerState.Array] { [] }
  mutating func restore(_ state: LearnerState) {}
}
