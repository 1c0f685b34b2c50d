import Networks

/// Runs chains over the same members, and steps that several begin with once.
///
/// All workers run it alike. A step that is not shared is taken by the first worker alone; what it came to goes to the
/// others when a shared step needs it.
public struct ChainRunner {
  private let start: MergeState
  private var done: [String: Progress] = [:]

  /// What a chain came to.
  public struct Outcome: Sendable {
    /// The merge; of the first worker, where the last step was not shared.
    public var state: MergeState
    /// What all its steps took, those that other chains share included.
    public var seconds: Double
  }

  private struct Progress {
    var outcome: Outcome
    /// Whether the first worker alone knows the state.
    var isRootAhead: Bool
  }

  /// What steps are run with.
  public protocol Surroundings {
    /// All workers.
    var team: any Team { get }

    /// Whether samples lie with different workers, so that all must take part in what looks at them.
    var isSharded: Bool { get }

    /// What a method may use, when it is about to run; asked on every worker that takes the step.
    func resources(for method: MergeMethod, with team: any Team) throws -> MergeResources

    /// Called on every worker before a step, to make ready what takes all of them.
    func prepare(for method: MergeMethod) throws

    /// Does work on the first worker while the others rest; throws on all if it throws.
    func onRoot(_ work: (any Team) throws -> Void) throws

    /// Sends the first worker's arrays to all.
    func share(_ indices: [Int], _ numbers: [Float]) throws -> ([Int], [Float])
  }

  /// A runner over some members.
  ///
  /// - Throws: ``MergeError`` if they cannot be merged at all.
  public init(_ members: [Network], names: [String]? = nil) throws(MergeError) {
    start = try MergeState(members, names: names)
  }

  /// Runs what is not yet done of a chain.
  ///
  /// - Parameters:
  ///   - chain: the methods.
  ///   - surroundings: the team, and what steps may use.
  /// - Returns: the merge after the last method.
  /// - Throws: ``MergeError`` if a step cannot be taken.
  public mutating func run(
    _ chain: MethodChain, in surroundings: some Surroundings
  ) throws -> Outcome {
    var progress = Progress(outcome: Outcome(state: start, seconds: 0), isRootAhead: false)
    var name = ""
    for (number, link) in chain.links.enumerated() {
      name += (name.isEmpty ? "" : "+") + link.description
      if let known = done[name] {
        progress = known
        continue
      }
      progress.outcome.state.step = number
      try take(link, &progress, in: surroundings)
      done[name] = progress
    }
    return progress.outcome
  }

  private func take(
    _ link: MethodChain.Link, _ progress: inout Progress, in surroundings: some Surroundings
  ) throws {
    let method = link.method
    try surroundings.prepare(for: method)
    let clock = ContinuousClock.now
    var state = progress.outcome.state
    if method.isShared || (surroundings.isSharded && method.needs != .nothing) {
      if progress.isRootAhead {
        let own = surroundings.team.rank == 0 ? state.shared : nil
        let (indices, numbers) = try surroundings.share(own?.indices ?? [], own?.numbers ?? [])
        if own == nil { try state.adopt(MergeState.Shared(indices: indices, numbers: numbers)) }
        progress.isRootAhead = false
      }
      let resources = try surroundings.resources(for: method, with: surroundings.team)
      try link.method.step(link.values).apply(to: &state, with: resources)
    } else {
      try surroundings.onRoot { team in
        let resources = try surroundings.resources(for: method, with: team)
        try link.method.step(link.values).apply(to: &state, with: resources)
      }
      progress.isRootAhead = surroundings.team.size > 1
    }
    progress.outcome.state = state
    progress.outcome.seconds += (ContinuousClock.now - clock) / .seconds(1)
  }
}

/// The surroundings of one process, whose threads are the team.
public struct LocalSurroundings: ChainRunner.Surroundings {
  public var team: any Team { resources.team }
  public var isSharded: Bool { resources.isSharded }
  private let resources: MergeResources

  /// The same resources for every step.
  public init(_ resources: MergeResources = MergeResources()) { self.resources = resources }

  public func resources(for method: MergeMethod, with team: any Team) -> MergeResources {
    resources
  }

  public func prepare(for method: MergeMethod) {}
  public func onRoot(_ work: (any Team) throws -> Void) throws { try work(team) }
  public func share(_ indices: [Int], _ numbers: [Float]) -> ([Int], [Float]) {
    (indices, numbers)
  }
}
