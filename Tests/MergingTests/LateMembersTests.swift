import Networks
import TestSupport
import Testing

@testable import Merging

/// Workers that get the members only once a step needs them there.
@Suite struct LateMembersTests {
  @Test(
    arguments: [
      ("neuron-selection(head=labels)", false), ("neuron-selection(width=2,head=labels)", false),
      ("refit-head-labels", false), ("naive,fine-tune", false), ("random-network,fine-tune", false),
      ("neuron-selection", true), ("unit-weights", true), ("repair", true), ("best-member", true),
      ("naive,refit-head-labels,neuron-selection(selection=sketch)", true),
      ("c2m3,fine-tune,refit-head", true), ("mergemany,refit-head-labels", true),
      ("fine-tune-both", true),
    ])
  func `a chain comes to the same whether members are everywhere or come late`(
    chain: String, needsMembers: Bool
  ) throws {
    let problem = try ShardTests.Problem("8-20-5")
    let expected = try problem.alone(chain)
    let empty = Network(
      problem.members[0].graph,
      parameters: Array(repeating: 0, count: problem.members[0].parameters.count))
    let results = onWorkers(3) { worker in
      let members = worker.rank == 0 ? problem.members : problem.members.map { _ in empty }
      var runner = try ChainRunner(members, everywhere: false)
      var surroundings = WorkerSurroundings(worker: worker) { problem.resources($0) }
      surroundings.allMembers = problem.members
      let chain = try MethodChain(parsing: chain).settingDefault("epochs", to: "1")
      // A chain that is there already must get the members too.
      _ = try runner.run(try MethodChain(parsing: "refit-head-labels"), in: surroundings)
      return (try runner.run(chain, in: surroundings), surroundings.events.events)
    }
    for result in results {
      let (outcome, events) = try result.get()
      #expect(outcome.state.network == expected.network)
      #expect(outcome.state.alignment == expected.alignment)
      #expect(outcome.hasMembersEverywhere == needsMembers)
      #expect(events.count { $0 == "members" } == (needsMembers ? 1 : 0))
      if needsMembers { #expect(outcome.state.members == problem.members) }
    }
  }
}
