import Networks
import Tensors

extension MergeMethod {
  public static let c2m3 = MergeMethod(
    "c2m3", "the mean after matching all members' units at once, by Frank–Wolfe",
    worksOnTensors: true
  ) { _ in C2M3() }
}

/// C2M3, the cycle-consistent matching of all members at once (Crisostomi and others 2024), by Frank and Wolfe's method.
///
/// Each member m has a doubly stochastic matrix P_{m,l} for each group of units l, into an order of units that all share, so
/// that the maps P_Aᵀ P_B between members agree however they are composed. They maximise
/// F = Σ_{A<B} ⟨π_A(θ_A), π_B(θ_B)⟩ with π_m(θ_m) = P_{m,l} W_{m,l} P_{m,l−1}ᵀ and P_{m,l} b_{m,l}. A step finds the
/// permutations that the gradient points to, by linear assignment, and goes towards all of them at once as far as F rises
/// (exact: F is a polynomial along the way). In the end the permutations nearest to P are taken. No member is the
/// reference.
///
/// From two starts, of which the better end is kept: the members as they are lined up, and each matched to the sum
/// of those before it. From the first alone, members that are nearly copies of one another pass each other by: each takes
/// the other's order, and half way neither has anywhere to go. Where the copies are exact, two never meet, and of
/// four only every third time. On trained members of 784-512-10 either start wins (the first of 8, the second of 3, 5
/// and 16), by 0.01 to 0.3 % of F. Against MergeMany's best of four restarts F is 0.05 % above for 3 of these members and
/// 0.02 % below for 16, and 0.1 and 0.8 % above for 3 and 8 members of three hidden layers.
/// Of the two ends and the start the result is the best by F, so never worse than the start.
public struct C2M3: MergeStep {
  /// The steps at most.
  private static let steps = 200

  /// A step that raises F by less than this share of it is small, and so many small ones in a row end the search.
  private static let (smallGain, patience) = (1e-6, 5)

  /// The method.
  public init() {}

  public func apply(to state: inout MergeState, with resources: MergeResources) throws {
    let members = state.comparableMembers
    guard members.count > 1 else { return state.align(by: state.alignment) }
    let identity = Alignment.identity(members: members.count, state.graph.symmetry)
    var best = (alignment: identity, objective: matchingObjective(members))
    let starts = [identity, try Self.greedyStart(members, seed: resources.seed)]
    for (number, start) in starts.enumerated() {
      let found = Self.match(members, from: start, threads: resources.threads) {
        resources.onStep(number * Self.steps + $0, starts.count * Self.steps)
      }
      let objective = matchingObjective(
        zip(members, found.permutations).map { $0.permuted(by: $1) })
      if objective > best.objective { best = (found, objective) }
    }
    resources.onStep(starts.count * Self.steps, starts.count * Self.steps)
    state.align(by: best.alignment.after(state.alignment))
  }

  /// The permutations nearest to the matrices that Frank–Wolfe ends with.
  private static func match(
    _ members: [Network], from start: Alignment, threads: Int, onStep: (Int) -> Void
  ) -> Alignment {
    var universe = Universe(
      zip(members, start.permutations).map { $0.permuted(by: $1) }, threads: threads)
    var objective = universe.objective
    var smallSteps = 0
    for step in 1...steps {
      universe.step()
      smallSteps = universe.objective - objective < smallGain * abs(objective) ? smallSteps + 1 : 0
      objective = universe.objective
      onStep(step)
      if smallSteps == patience { break }
    }
    return Alignment(universe.nearestPermutations).after(start)
  }

  /// One member after another, matched to the sum of those before.
  private static func greedyStart(
    _ members: [Network], seed: UInt64
  ) throws(MergeError) -> Alignment {
    let matcher = WeightMatcher(members[0].graph)
    var random = RandomStream(seed: seed, "c2m3")
    var sum = members[0]
    var result = [members[0].graph.symmetry.identity]
    for member in members.dropFirst() {
      let found = try matcher.match(
        member, to: sum, random: &random, propagates: !sum.graph.canRun)
      accumulate(member.permuted(by: found).parameters, into: &sum.parameters)
      result.append(found)
    }
    return Alignment(result)
  }
}

/// Σ_{A<B} ⟨θ_A, θ_B⟩ = ½ (‖Σ_m θ_m‖² − Σ_m ‖θ_m‖²), what matching maximises over permutations.
func matchingObjective(_ members: [Network]) -> Double {
  var sum = members[0].parameters
  for member in members.dropFirst() { accumulate(member.parameters, into: &sum) }
  return members.reduce(dot(sum, sum)) { $0 - dot($1.parameters, $1.parameters) } / 2
}
