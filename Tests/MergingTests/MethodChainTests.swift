import Foundation
import Networks
import TestSupport
import Testing

@testable import Merging

/// Chains of methods as texts, and what their settings make of steps.
@Suite struct MethodChainTests {
  // MARK: - Texts

  @Test(arguments: [
    ("naive", "naive"),
    ("mergemany()", "mergemany"),
    ("mergemany(restarts=4)", "mergemany"),
    ("mergemany(restarts=04)", "mergemany"),
    ("mergemany(restarts=9),repair", "mergemany(restarts=9),repair"),
    ("mergemany(restarts=9)+repair", "mergemany(restarts=9),repair"),
    ("fine-tune(learning-rate=0.10,momentum=0.50)", "fine-tune(momentum=0.5)"),
    ("permavg(learning-rate=1e-1,temperature=1e+3)", "permavg(temperature=1000.0)"),
    ("permavg(temperature=1e+3),repair", "permavg(temperature=1000.0),repair"),
    ("permavg(temperature=1e+3)+repair", "permavg(temperature=1000.0),repair"),
    ("permavg(temperature=2,epochs=3)", "permavg(epochs=3,temperature=2.0)"),
    ("permavg(epochs=3,temperature=2.000)", "permavg(epochs=3,temperature=2.0)"),
    ("permavg(schedule=constant)", "permavg(schedule=constant)"),
    ("permavg(schedule=cosine)", "permavg"),
    ("permavg-both(unit-rate=none)", "permavg-both(unit-rate=none)"),
    ("permavg(unit-rate=none,dirichlet=none)", "permavg"),
    ("fine-tune(weight-decay=0)", "fine-tune(weight-decay=0.0)"),
    ("fine-tune(weight-decay=0.00001)", "fine-tune"),
  ])
  func `a chain has one text, without what is the default`(text: String, canonical: String) throws {
    let chain = try MethodChain(parsing: text)
    #expect(chain.description == canonical)
    #expect(chain.links.map(\.description).joined(separator: ",") == canonical)
    let again = try #require(MethodChain(canonical))
    #expect(again == chain && again.hashValue == chain.hashValue)
    #expect(try MethodChain(parsing: chain.name) == chain)
    #expect(try MethodChain(parsing: chain.fullDescription) == chain)
  }

  @Test func `files and tables have plus signs between methods`() throws {
    let chain = try MethodChain(
      parsing: "mergemany(restarts=9),permavg(epochs=1,temperature=2),repair")
    #expect(chain.name == "mergemany(restarts=9)+permavg(epochs=1,temperature=2.0)+repair")
    #expect(MethodChain(.mergeMany, .repair).name == "mergemany+repair")
  }

  @Test func `commas and plus signs in brackets separate settings, not methods`() throws {
    let chain = try MethodChain(parsing: "permavg(epochs=1,temperature=1e+2)+harden,repair")
    #expect(chain.links.map(\.method.name) == ["permavg", "harden", "repair"])
    let step = try #require(chain.links[0].method.step(chain.links[0].values) as? PermAVG)
    #expect(step.settings.epochs == 1 && step.settings.sinkhorn.temperature == 100)
    #expect(step.settings.learningRate == 0.1)
  }

  @Test func `every setting of every method accepts its default, which is not written`() throws {
    var count = 0
    for method in MethodCatalog.standard.methods {
      #expect(Set(method.settings.map(\.name)).count == method.settings.count)
      for setting in method.settings {
        count += 1
        #expect(setting.canonical(setting.defaultText) == setting.defaultText)
        #expect(!setting.help.isEmpty && !setting.range.isEmpty)
        let text = "\(method.name)(\(setting.name)=\(setting.defaultText))"
        let chain = try MethodChain(parsing: text)
        #expect(chain.description == method.name)
        #expect(chain == MethodChain(method))
      }
    }
    #expect(count > 50)
  }

  @Test func `the text with every setting is the same chain`() throws {
    for method in MethodCatalog.standard.methods {
      let chain = MethodChain(method)
      let full = chain.fullDescription
      #expect(full.contains("(") == !method.settings.isEmpty)
      for setting in method.settings {
        #expect(full.contains("\(setting.name)=\(setting.defaultText)"))
      }
      #expect(try MethodChain(parsing: full) == chain)
    }
    let all = MethodCatalog.standard.methods.map(\.name).joined(separator: ",")
    let chain = try MethodChain(parsing: all)
    #expect(try MethodChain(parsing: chain.fullDescription) == chain)
    let given = try MethodChain(parsing: "permavg(epochs=3,dirichlet=2),mergemany(restarts=7)")
    #expect(
      given.fullDescription
        == "permavg(epochs=3,learning-rate=0.1,schedule=cosine,temperature=1.0,iterations=100,"
        + "aligned-share=0.9,unit-rate=none,final-temperature=none,dirichlet=2.0),mergemany(restarts=7)"
    )
    #expect(try MethodChain(parsing: given.fullDescription) == given)
  }

  @Test func `a chain is the same after JSON, and one that is not known is an error that says so`()
    throws
  {
    let chain = try MethodChain(parsing: "permavg(epochs=3,dirichlet=2),mergemany(restarts=7)")
    let json = try JSONEncoder().encode([chain])
    #expect(String(decoding: json, as: UTF8.self) == "[\"\(chain.description)\"]")
    #expect(try JSONDecoder().decode([MethodChain].self, from: json) == [chain])
    let unknown = Data("[\"mergemany(restart=7)\"]".utf8)
    let error = #expect(throws: DecodingError.self) {
      try JSONDecoder().decode([MethodChain].self, from: unknown)
    }
    guard case .dataCorrupted(let context) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(
      context.debugDescription
        == "\"mergemany(restart=7)\" is no chain of methods that this version knows: mergemany has no"
        + " setting \"restart\"; it has restarts (1 to 100000)")
  }

  // MARK: - Errors

  @Test(arguments: [
    ("mergemany(restart=2)", "mergemany has no setting \"restart\"; it has restarts (1 to 100000)"),
    ("naive(epochs=1)", "naive has no setting \"epochs\"; it has none"),
    (
      "unit-weights(momentum=1)",
      "unit-weights has no setting \"momentum\"; it has epochs (0 to 1000000), learning-rate"
        + " (a number above 0), schedule (constant, cosine, thesis)"
    ),
    ("mergemany(restarts=0)", "mergemany(restarts=0): expected 1 to 100000"),
    ("mergemany(restarts=100001)", "mergemany(restarts=100001): expected 1 to 100000"),
    ("mergemany(restarts=2.5)", "mergemany(restarts=2.5): expected 1 to 100000"),
    ("mergemany(restarts=)", "mergemany(restarts=): expected 1 to 100000"),
    ("fine-tune(momentum=1)", "fine-tune(momentum=1): expected from 0 to below 1"),
    ("fine-tune(learning-rate=nan)", "fine-tune(learning-rate=nan): expected a number above 0"),
    ("fine-tune(learning-rate=inf)", "fine-tune(learning-rate=inf): expected a number above 0"),
    ("fine-tune(learning-rate=1e99)", "fine-tune(learning-rate=1e99): expected a number above 0"),
    ("permavg(aligned-share=1)", "permavg(aligned-share=1): expected above 0 and below 1"),
    ("permavg(dirichlet=0)", "permavg(dirichlet=0): expected 0.001 to 1000000, or none"),
    ("permavg(schedule=linear)", "permavg(schedule=linear): expected constant, cosine, thesis"),
    (
      "mergemany(restarts=2",
      "\"mergemany(restarts=2\": a bracket is not closed; write mergemany(setting=value)"
    ),
    (
      "mergemany(restarts=2,repair",
      "\"mergemany(restarts=2,repair\": a bracket is not closed; write mergemany(setting=value)"
    ),
    (
      "mergemany(restarts=2)x,repair",
      "\"mergemany(restarts=2)x\": a bracket is not closed; write mergemany(setting=value)"
    ),
    (
      "mergemany(9)",
      "\"mergemany(9)\": \"9\" is no setting; write mergemany(setting=value)"
    ),
  ])
  func `a text that is no chain is an error that says what there is`(
    text: String, problem: String
  ) {
    let error = #expect(throws: MergeError.self) { try MethodChain(parsing: text) }
    #expect(error?.description == problem)
    #expect(error?.isAboutWeights == false)
    #expect(MethodChain(text) == nil)
  }

  @Test(arguments: [
    "", "no-such", "naive,,repair", "naive,", "+naive", "Naive", "naive)", "(restarts=2)",
  ])
  func `a method that is not there is an error with all that are`(text: String) {
    let error = #expect(throws: MergeError.self) { try MethodChain(parsing: text) }
    let all = MethodCatalog.standard.methods.map(\.name).joined(separator: ", ")
    #expect(error?.description.hasPrefix("there is no method \"") == true)
    #expect(error?.description.hasSuffix("\"; there are \(all)") == true)
  }

  // MARK: - Defaults from elsewhere

  @Test
  func `a default from elsewhere fills only what was not given, and only where there is such`()
    throws
  {
    let chain = try MethodChain(parsing: "naive,unit-weights(epochs=3),fine-tune,mergemany")
    let filled = try chain.settingDefault("epochs", to: "7")
    #expect(filled.description == "naive,unit-weights(epochs=3),fine-tune(epochs=7),mergemany")
    // Given as its own default it is given.
    let given = try MethodChain(parsing: "unit-weights(epochs=5),fine-tune")
    #expect(
      try given.settingDefault("epochs", to: "7").description == "unit-weights,fine-tune(epochs=7)")
    // What was filled once stays.
    #expect(try filled.settingDefault("epochs", to: "9") == filled)
    let some = try chain.settingDefault("epochs", to: "7") { $0.name != "fine-tune" }
    #expect(some == chain)
    #expect(try chain.settingDefault("no-such", to: "7") == chain)
    #expect(try chain.settingDefault("epochs", to: "05").description == chain.description)
    #expect(chain.description == "naive,unit-weights(epochs=3),fine-tune,mergemany")
    let error = #expect(throws: MergeError.self) { try chain.settingDefault("epochs", to: "-1") }
    #expect(error?.description == "fine-tune(epochs=-1): expected 0 to 1000000")
  }

  // MARK: - Runs

  @Test func `one method with two settings stands for two`() throws {
    let (one, two) = (
      try MethodChain(parsing: "unit-weights(epochs=0)"),
      try MethodChain(parsing: "unit-weights(epochs=1)")
    )
    #expect(one != two && one.name != two.name)
    let problem = try MethodInvarianceTests.Problem("6-9-4")
    let surroundings = LocalSurroundings(problem.resources())
    var runner = try ChainRunner(problem.members)
    let networks = try [one, two, one].map { try runner.run($0, in: surroundings).state.network }
    #expect(networks[0] != networks[1] && networks[0] == networks[2])
    for (chain, network) in zip([one, two], networks) {
      var fresh = try ChainRunner(problem.members)
      #expect(try fresh.run(chain, in: surroundings).state.network == network)
    }
    // Also in the middle of a chain.
    let both = try ["1", "2"].map { epochs in
      try runner.run(
        try MethodChain(parsing: "unit-weights(epochs=\(epochs)),fine-tune(epochs=0)"),
        in: surroundings
      ).state.network
    }
    #expect(both[0] == networks[1] && both[0] != both[1])
  }

  @Test func `steps that chains begin with are taken once`() throws {
    let problem = try MethodInvarianceTests.Problem("6-9-4")
    var resources = problem.resources()
    var taken = 0
    resources.validate = { _ in
      taken += 1
      return 0.5
    }
    var runner = try ChainRunner(problem.members)
    let surroundings = LocalSurroundings(resources)
    let soup = try runner.run(try MethodChain(parsing: "greedy-soup"), in: surroundings)
    let calls = taken
    #expect(calls == 7)
    for chain in ["greedy-soup", "greedy-soup,repair", "greedy-soup+repair,refit-head"] {
      let outcome = try runner.run(try MethodChain(parsing: chain), in: surroundings)
      #expect(outcome.seconds >= soup.seconds)
    }
    #expect(taken == calls)
  }

  @Test func `a setting that is given twice is an error`() {
    let error = #expect(throws: MergeError.self) {
      try MethodChain(parsing: "mergemany(restarts=2,restarts=3)")
    }
    #expect(error?.description == "mergemany is given the setting restarts twice")
  }

  @Test func `learning twice leaves two curves, each with its step`() throws {
    let problem = try MethodInvarianceTests.Problem("6-9-4")
    let merge = try problem.merge("unit-weights(epochs=1),fine-tune(epochs=1)", problem.members)
    #expect(merge.curves.map(\.step) == [0, 1])
    #expect(merge.curves.map { $0.epochs.map(\.epoch) } == [[1], [1]])
    #expect(merge.curves[0].epochs != merge.curves[1].epochs)
    let apart = try problem.merge(
      "mergemany,unit-weights(epochs=2),repair,fine-tune(epochs=3)", problem.members)
    #expect(apart.curves.map(\.step) == [1, 3])
    #expect(apart.curves.map { $0.epochs.map(\.epoch) } == [[1, 2], [1, 2, 3]])
    let none = try problem.merge("unit-weights(epochs=0),fine-tune(epochs=1)", problem.members)
    #expect(none.curves.map(\.step) == [1])
  }

  @Test func `a chain that starts with a control is one`() throws {
    #expect(try MethodChain(parsing: "best-member,fine-tune(epochs=1)").isControl)
    #expect(try !MethodChain(parsing: "naive,fine-tune").isControl)
    #expect(try MethodChain(parsing: "naive,fine-tune").needsData)
    #expect(try !MethodChain(parsing: "naive,mergemany").needsData)
  }
}
