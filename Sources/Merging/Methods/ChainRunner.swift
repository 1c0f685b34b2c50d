import Networks

/// Runs chains over the same members, and steps that several begin with once.
///
/// All workers run it alike. A step that is not shared is taken by the first worker alone; what it came to goes to the
/// others when a shared step needs it.
public struct ChainRunner {
  private var start: MergeState

  /// Whether this worker has the members, or others of the same graph in their place.
  private var hasMembers: Bool
  private var done: [String: Progress] = [:]

  /// What a chain came to.
  public struct Outcome: Sendable {
    /// The merge; of the first worker, where the last step was not shared.
    public var state: MergeState
    /// What all its steps took, those that other chains share included.
    public var seconds: Double

    /// The messages of all its steps, as this worker counts them; without the members'.
    public var traffic = MessageTraffic()

    /// Whether a step needed the members on every worker.
    public var hasMembersEverywhere = false
  }

  private struct Progress {
    var outcome: Outcome
    /// Whether the first worker alone knows the state.
    var isRootAhead: Bool
    /// Whether no step was taken yet.
    var isUntouched = false
  }

  /// What steps are run with.
  public protocol Surroundings {
    /// All workers.
    var team: any Team { get }

    /// Whether samples lie with different workers, so that all must take part in what looks at them.
    var isSharded: Bool { get }

    /// The members, on every worker, where some workers were begun without.
    func members() throws -> [Network]

    /// The messages there have been, as this worker counts them.
    var traffic: MessageTraffic { get }

    /// What a method may use, when it is about to run; asked on every worker that takes the step.
    func resources(for method: MergeMethod, with team: any Team) throws -> MergeResources

    /// Called on every worker before a step, to make ready what takes all of them.
    func prepare(for method: MergeMethod) throws

    /// Does work on every worker, which may meet in it; throws on all if it throws on any.
    func together(_ work: () throws -> Void) throws

    /// Does work on the first worker while the others rest; throws on all if it throws.
    func onRoot(_ work: (any Team) throws -> Void) throws

    /// Sends the first worker's arrays to all.
    func share(_ indices: [Int], _ numbers: [Float]) throws -> ([Int], [Float])
  }

  /// A runner over some members.
  ///
  /// - Parameters:
  ///   - members: the members.
  ///   - names: what they are called in errors.
  ///   - isEverywhere: whether all workers have them; else the first alone, and others get them when a step needs them.
  /// - Throws: ``MergeError`` if they cannot be merged at all.
  public init(
    _ members: [Network], names: [String]? = nil, everywhere isEverywhere: Bool = true
  ) throws(MergeError) {
    start = try MergeState(members, names: names)
    hasMembers = isEverywhere
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
    var progress = Progress(
      outcome: Outcome(state: start, seconds: 0), isRootAhead: !hasMembers, isUntouched: true)
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

  private mutating func take(
    _ link: MethodChain.Link, _ progress: inout Progress, in surroundings: some Surroundings
  ) throws {
    let method = link.method
    if let problem = method.problem(for: start.graph) { throw MergeError(problem) }
    let isShared = method.isShared || (surroundings.isSharded && method.needs != .nothing)
    let others = isShared ? method.othersNeed(link.values, start.graph) : .nothing
    if others == .members {
      progress.outcome.hasMembersEverywhere = true
      if !hasMembers { try takeMembers(from: surroundings, &progress) }
    }
    try surroundings.prepare(for: method)
    let clock = ContinuousClock.now
    let before = surroundings.traffic
    var state = progress.outcome.state
    if isShared {
      // What nobody has touched is of no use to a step that makes all of it anew.
      if progress.isRootAhead, others != .nothing || !progress.isUntouched {
        let own = surroundings.team.rank == 0 ? state.shared : nil
        let (indices, numbers) = try surroundings.share(own?.indices ?? [], own?.numbers ?? [])
        if own == nil { try state.adopt(MergeState.Shared(indices: indices, numbers: numbers)) }
      }
      progress.isRootAhead = false
      try surroundings.together {
        let resources = try surroundings.resources(for: method, with: surroundings.team)
        try link.step.apply(to: &state, with: resources)
      }
    } else {
      try surroundings.onRoot { team in
        let resources = try surroundings.resources(for: method, with: team)
        try link.step.apply(to: &state, with: resources)
      }
      progress.isRootAhead = surroundings.team.size > 1
    }
    progress.outcome.state = state
    progress.isUntouched = false
    progress.outcome.traffic.rounds += surroundings.traffic.rounds - before.rounds
    progress.outcome.traffic.bytesSent += surroundings.traffic.bytesSent - before.bytesSent
    progress.outcome.seconds += (ContinuousClock.now - clock) / .seconds(1)
  }
}

extension MethodChain.Link {
  /// The step, which sees members as the method wants to.
  fileprivate var step: any MergeStep {
    method.folds ? FoldedStep(method.step(values)) : method.step(values)
  }
}

extension ChainRunner {
  /// Gets the members on workers that began without.
  private mutating func takeMembers(
    from surroundings: some Surroundings, _ progress: inout Progress
  ) throws {
    let members = try surroundings.members()
    start.adopt(members: members)
    for name in done.keys { done[name]?.outcome.state.adopt(members: members) }
    progress.outcome.state.adopt(members: members)
    // What has not been touched is their mean, on every worker.
    if progress.isUntouched { progress.isRootAhead = false }
    hasMembers = true
  }
}

/// Messages among workers.
public struct MessageTraffic: Equatable, Sendable {
  /// How often the workers met.
  public var rounds: Int

  /// What this worker sent.
  public var bytesSent: Int

  /// Some messages.
  public init(rounds: Int = 0, bytesSent: Int = 0) {
    self.rounds = rounds
    self.bytesSent = bytesSent
  }
}

extension ChainRunner.Surroundings {
  public var traffic: MessageTraffic { MessageTraffic() }
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

  public func members() -> [Network] { preconditionFailure("one process has the members") }
  public func prepare(for method: MergeMethod) {}
  public func together(_ work: () throws -> Void) throws { try work() }
  public func onRoot(_ work: (any Team) throws -> Void) throws { try work(team) }
  public func share(_ indices: [Int], _ numbers: [Float]) -> ([Int], [Float]) {
    (indices, numbers)
  }
}
