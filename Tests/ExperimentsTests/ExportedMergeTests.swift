import Foundation
import Merging
import Networks
import Tensors
import TestSupport
import Testing

/// Networks of an exported graph, merged and verified by the program without being run.
@Suite struct ExportedMergeTests {
  private static let names = ["fc_in", "fc_mid_one", "fc_mid_two", "fc_out"]
  private static let widths = [12, 8, 8, 8, 5]

  /// Writes a perceptron under names that do not say their order, a permuted copy, and the graph.
  private func save(in folder: String) throws -> (a: String, b: String, graph: String, Network) {
    let graph = try #require(Graph(Self.widths.map(String.init).joined(separator: "-")))
    let network = Network(graph, random: RandomStream(seed: 5, "exported"))
    let names = Self.names.flatMap { ["\($0).weight", "\($0).bias"] }
    let paths = ["a", "b"].map { "\(folder)/\($0).safetensors" }
    let permuted = network.permuted(by: InvarianceCheck(graph, draws: 1).draws[0])
    for (path, network) in zip(paths, [network, permuted]) {
      var file = network.checkpoint(names: names)
      file.metadata = [:]
      try file.write(to: path)
    }
    let json = "\(folder)/net.json"
    try write(Array(ExportedJSON.perceptron(Self.widths, Self.names).utf8), to: json)
    return (paths[0], paths[1], json, network)
  }

  private func numbers(_ path: String) throws -> [Float] {
    let file = try Safetensors(contentsOf: path)
    return try Self.names.flatMap { name in
      try ["weight", "bias"].flatMap { try #require(file["\(name).\($0)"]?.floats) }
    }
  }

  @Test(arguments: ["weight-matching", "mergemany", "c2m3"])
  func `a network and its permuted copy merge to it by the graph, and by the order of its layers`(
    method: String
  ) throws {
    try withTemporaryFolder { folder in
      let (a, b, graph, network) = try save(in: folder)
      let out = "\(folder)/out.safetensors"
      for how in [["--graph", graph], ["--layers", Self.names.joined(separator: ",")]] {
        for ranks in [nil, 3] {
          try Program.succeed(ranks: ranks, ["merge", a, b, "--method", method, "-o", out] + how)
          // C2M3 has no reference, and may end in the other's order.
          let merged = try numbers(out)
          let nearest = [try numbers(a), try numbers(b)].map { largestDifference($0, merged) }
          #expect(
            nearest[method == "c2m3" ? (nearest[0] < nearest[1] ? 0 : 1) : 0] < 1e-6
              || method == "mergemany")
          #expect(
            abs(merged.reduce(0) { $0 + $1 * $1 } - network.parameters.reduce(0) { $0 + $1 * $1 })
              < 1e-3)
        }
      }
      try Program.succeed(["merge", a, b, "--method", "naive", "-o", out, "--graph", graph])
      #expect(largestDifference(try numbers(out), network.parameters) > 0.05)
      #expect(try Safetensors(contentsOf: out).metadata["architecture"] == nil)
    }
  }

  @Test func `what cannot be done is refused before anything is read`() throws {
    try withTemporaryFolder { folder in
      let (a, b, graph, _) = try save(in: folder)
      let out = ["-o", "\(folder)/out.safetensors"]
      // The same layers chain in two orders, and names do not say which is meant.
      try Program.expectRefusal(
        4, saying: "a.safetensors", "several orders", "fc_mid_two,fc_mid_one", "--layers",
        "--graph",
        arguments: ["merge", a, b] + out)
      try Program.expectRefusal(
        2, saying: "repair", "cannot be run", "weight-matching, mergemany, c2m3",
        arguments: ["merge", a, b, "--graph", graph, "--method", "weight-matching,repair"] + out)
      try Program.expectRefusal(
        2, saying: "--dataset", "cannot be run on data",
        arguments: ["merge", a, b, "--graph", graph, "--method", "naive", "--dataset", "synthetic"]
          + out)
      try Program.expectRefusal(
        2, saying: "--layers", "give one",
        arguments: ["merge", a, b, "--graph", graph, "--layers", "a,b", "--method", "naive"] + out)
      try Program.expectRefusal(
        4, saying: "a.safetensors", "is no JSON object",
        arguments: ["merge", a, b, "--graph", a, "--method", "naive"] + out)
      let other = "\(folder)/other.json"
      try write(Array(ExportedJSON.perceptron([12, 8, 8, 7, 5], Self.names).utf8), to: other)
      try Program.expectRefusal(
        4, saying: "fc_mid_two.weight", "[8, 8]", "[7, 8]",
        arguments: ["merge", a, b, "--graph", other, "--method", "naive"] + out)
      try Program.expectRefusal(
        2, saying: "--permuted", arguments: ["verify", a, "--permuted", "\(folder)/p.safetensors"])
    }
  }

  @Test func `verify says what permutations reach and writes a permuted copy`() throws {
    try withTemporaryFolder { folder in
      let (a, _, graph, network) = try save(in: folder)
      let out = "\(folder)/permuted.safetensors"
      let text = try Program.succeed(["verify", a, "--graph", graph, "--permuted", out]).output
      for words in [
        "3 permutations", "P1 of 8 units: axis 0 of fc_mid_one.weight [8 × 8]",
        "288 of 293 parameters (98.293 %)", "5 stay, first those of fc_out.bias",
        "every operator has a rule",
      ] { #expect(text.contains(words), "\(text)") }
      let moved = try numbers(out)
      #expect(largestDifference(moved, network.parameters) > 0.05)
      #expect(moved.sorted() == network.parameters.sorted())
      // Our own layers can run what came out.
      let check = InvarianceCheck(network.graph)
      #expect(
        check.difference(of: network, from: Network(network.graph, parameters: moved)).isNegligible)

      let unknown = try String(contentsOfFile: graph, encoding: .utf8)
        .replacingOccurrences(of: "aten.relu.default", with: "aten.mystery.default")
      try write(Array(unknown.utf8), to: graph)
      let pinned = try Program.succeed(["verify", a, "--graph", graph]).output
      #expect(pinned.contains("no rule for aten.mystery.default, 3 ×, first at relu0"), "\(pinned)")
      #expect(pinned.contains("0 of 293 parameters"), "\(pinned)")
    }
  }
}

/// The same for networks of PyTorch's that no family of ours has, exported and run by PyTorch.
@Suite(
  .enabled(
    if: Python.imports("torch", "safetensors"),
    "needs a Python with torch and safetensors; PERMAVG_PYTHON names its interpreter"))
struct ExportedModelTests {
  private func difference(_ name: String, _ a: String, _ b: String) throws -> Double {
    let outcome = try Python.script("exported.py", "difference", name, a, b)
    try #require(outcome.status == 0)
    let text = String(decoding: outcome.output, as: UTF8.self)
    return try #require(Double(text.split(separator: "\n").last ?? ""))
  }

  @Test(arguments: [
    ("resnet", 5), ("depthwise", 5), ("dense", 4), ("vit", 7), ("tied", 4), ("odd", 13),
  ])
  func `all units permuted compute the same, and matching gives the network back`(
    name: String, groups: Int
  ) throws {
    try withTemporaryFolder { folder in
      try #require(try Python.script("exported.py", "save", name, folder).status == 0)
      let (a, b) = ("\(folder)/a.safetensors", "\(folder)/b.safetensors")
      let (graph, out) = ("\(folder)/\(name).json", "\(folder)/out.safetensors")
      let text = try Program.succeed(["verify", a, "--graph", graph, "--permuted", b]).output
      #expect(text.contains("\(groups) permutations"), "\(text)")
      #expect(text.contains("every operator has a rule"), "\(text)")
      let exported = try Graph(ExportedGraph(contentsOf: graph))
      let found = try #require(exported.exportedSymmetry)
      // All but the output's own bias, and in one network a lone column beside it.
      #expect(found.parameterCount - found.permutableParameters <= 8)
      #expect(try difference(name, a, b) < 1e-5)

      for method in ["weight-matching", "mergemany", "c2m3"] {
        try Program.succeed(["merge", a, b, "--graph", graph, "--method", method, "-o", out])
        #expect(try difference(name, a, out) < 1e-5, "\(method)")
      }
      try Program.succeed(["merge", a, b, "--graph", graph, "--method", "naive", "-o", out])
      #expect(try difference(name, a, out) > 1e-3)
      let (first, merged) = (try Safetensors(contentsOf: a), try Safetensors(contentsOf: out))
      #expect(merged.tensors.map(\.name) == first.tensors.map(\.name))
      #expect(merged.tensors.map(\.shape) == first.tensors.map(\.shape))
      #expect(merged.tensors.map(\.type) == first.tensors.map(\.type))
    }
  }

  @Test func `each group alone may be permuted, and a place forgotten is seen`() throws {
    try withTemporaryFolder { folder in
      try #require(try Python.script("exported.py", "save", "vit", folder).status == 0)
      let a = "\(folder)/a.safetensors"
      let graph = try Graph(ExportedGraph(contentsOf: "\(folder)/vit.json"))
      let loaded = try LoadedNetwork(Safetensors(contentsOf: a), path: a, exported: graph)
      let b = "\(folder)/b.safetensors"
      for group in graph.symmetry.groups {
        var permutations = graph.symmetry.identity
        var random = RandomStream(seed: 3, "one group", group.index)
        permutations[group.index] = Permutation(random.permutation(of: group.count))
        try loaded.form.checkpoint(of: loaded.network.permuted(by: permutations)).write(to: b)
        #expect(try difference("vit", a, b) < 1e-5, "group \(group.index)")
        // With one of its tensors left as it was the network is another.
        let place = try #require(group.places.last)
        var wrong = loaded.network.permuted(by: permutations)
        wrong.parameters.replaceSubrange(
          place.tensor.range, with: loaded.network.parameters[place.tensor.range])
        try loaded.form.checkpoint(of: wrong).write(to: b)
        #expect(try difference("vit", a, b) > 1e-4, "group \(group.index)")
      }
    }
  }

  @Test(arguments: ["float16", "bfloat16", "float64"])
  func `weights of other widths are merged and written back in theirs`(type: String) throws {
    try withTemporaryFolder { folder in
      try #require(try Python.script("exported.py", "save", "tied", folder).status == 0)
      let (a, b, out) = (
        "\(folder)/typed.safetensors", "\(folder)/b.safetensors", "\(folder)/out.safetensors"
      )
      try #require(
        try Python.script("exported.py", "type", "tied", type, "\(folder)/a.safetensors", a).status
          == 0)
      let graph = "\(folder)/tied.json"
      try Program.succeed(["verify", a, "--graph", graph, "--permuted", b])
      try Program.succeed([
        "merge", a, b, "--graph", graph, "--method", "weight-matching", "-o", out,
      ])
      let (first, merged) = (try Safetensors(contentsOf: a), try Safetensors(contentsOf: out))
      #expect(Set(first.tensors.map(\.type)).count == 2)
      #expect(merged.tensors.map(\.type) == first.tensors.map(\.type))
      #expect(
        type == "float64" ? try difference("tied", a, out) < 1e-5 : merged.tensors == first.tensors)
    }
  }
}
