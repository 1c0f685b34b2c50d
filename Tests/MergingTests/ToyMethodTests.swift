import Merging
import Networks
import Testing

/// A method of one's own is a step and its entry in a catalogue: all of it is in this file, and it
/// takes no more than the library's public interface.
@Suite struct ToyMethodTests {
  @Test func `a chain may name a method of one's own`() throws {
    let standard = MethodCatalog.standard
    let catalog = MethodCatalog(
      [(name: "Toys", methods: [.trimmedMean])] + standard.families)
    #expect(catalog.methods.count == standard.methods.count + 1)
    #expect(catalog.methods.filter(\.isControl).map(\.name) == ["best-member", "random-network"])

    let graph = try #require(Graph("6-9-4"))
    let members = (0..<5).map { randomNetwork(graph, seed: $0) }
    let chain = try MethodChain(parsing: "mergemany,trimmed-mean(trim=2)", in: catalog)
    #expect(chain.description == "mergemany,trimmed-mean(trim=2)")
    #expect(
      try MethodChain(parsing: "trimmed-mean(trim=1)", in: catalog).description == "trimmed-mean")
    var runner = try ChainRunner(members)
    let merge = try runner.run(chain, in: LocalSurroundings()).state
    #expect(merge.isAligned)
    for (place, value) in merge.network.parameters.enumerated() {
      // Of five all but the middle one are trimmed.
      #expect(value == merge.alignedMembers.map { $0.parameters[place] }.sorted()[2])
    }

    #expect(MethodChain("trimmed-mean") == nil)
    let error = #expect(throws: MergeError.self) {
      try MethodChain(parsing: "trimmed-mean(trim=5)", in: catalog)
    }
    #expect(error?.description == "trimmed-mean(trim=5): expected 0 to 4")
    let failure = #expect(throws: MergeError.self) {
      var runner = try ChainRunner(Array(members.prefix(2)))
      _ = try runner.run(chain, in: LocalSurroundings())
    }
    #expect(
      failure?.description == "trimmed-mean(trim=2) needs at least 5 members, and there are 2")
  }
}

extension MergeMethod {
  fileprivate static let trimmedMean = MergeMethod(
    "trimmed-mean", "the mean of each parameter without the members' lowest and highest",
    settings: [TrimmedMean.trim.declaration]
  ) { TrimmedMean(trim: $0[TrimmedMean.trim]) }
}

/// The mean of each parameter over the members as they are lined up, without the lowest and the highest.
private struct TrimmedMean: MergeStep {
  static let trim = Setting("trim", 1, in: 0...4, "how many members are left out at either end")

  let trim: Int

  func apply(to state: inout MergeState, with resources: MergeResources) throws {
    let members = state.alignedMembers
    guard members.count > 2 * trim else {
      throw MergeError(
        "trimmed-mean(trim=\(trim)) needs at least \(2 * trim + 1) members, and there are"
          + " \(members.count)")
    }
    var network = state.network
    for place in network.parameters.indices {
      let kept = members.map { $0.parameters[place] }.sorted().dropFirst(trim).dropLast(trim)
      network.parameters[place] = kept.reduce(0, +) / Float(kept.count)
    }
    state.replaceNetwork(by: network)
  }
}
