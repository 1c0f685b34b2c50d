import Foundation
import Merging
import Networks
import TestSupport
import Testing

/// PyTorch's checkpoints merged by the program, and loaded by PyTorch again.
@Suite(
  .enabled(
    if: Python.imports("torch", "safetensors"),
    "needs a Python with torch and safetensors; PERMAVG_PYTHON names its interpreter"))
struct PyTorchMergeTests {
  @Test(arguments: ["weight-matching", "mergemany"])
  func `a merge of state dicts is a state dict, and PyTorch gives its logits`(method: String) throws
  {
    try withTemporaryFolder { folder in
      #expect(try Python.script("merge.py", folder).status == 0)
      let merged = "\(folder)/merged.safetensors"
      let outcome = try Program.permavg(
        ["merge"] + ["a", "b", "c"].map { "\(folder)/\($0).safetensors" }
          + ["--method", method, "--output", merged])
      try #require(outcome.status == 0, "\(outcome.errors)")
      try #require(try Python.script("merge.py", folder, "--load", merged).status == 0)

      func floats(_ file: String, _ tensor: String) throws -> [Float] {
        try #require(try Safetensors(contentsOf: "\(folder)/\(file).safetensors")[tensor]?.floats)
      }
      let network = try Network(try Safetensors(contentsOf: merged), path: merged)
      var workspace = Workspace(network.graph, capacity: 64)
      network.forward(try floats("inputs", "inputs"), rows: 64, workspace: &workspace)
      let theirs = try floats("logits", "logits")
      #expect(largestDifference(workspace.logits, theirs) < 1e-4)
      // The others are the first but for their units' order and some noise, and so is the merge.
      let original = try floats("inputs", "logits")
      let largest = original.reduce(0) { max($0, abs($1)) }
      #expect(largestDifference(theirs, original) < 0.02 * largest)
    }
  }

  /// The logits that PyTorch gives a residual network's checkpoint, loaded strictly, in double precision.
  private func theirLogits(
    _ architecture: String, _ checkpoint: String, in folder: String
  ) throws -> [Float] {
    let out = "\(folder)/logits.safetensors"
    let outcome = try Python.script(
      "residual.py", "logits", architecture, checkpoint, "\(folder)/inputs.safetensors", out)
    try #require(outcome.status == 0)
    return try #require(try Safetensors(contentsOf: out)["logits"]?.doubles).map { Float($0) }
  }

  /// Writes inputs for PyTorch, and gives ours their logits.
  private func ourLogits(_ checkpoint: String, rows: Int, in folder: String) throws -> [Float] {
    let network = try Network(try Safetensors(contentsOf: checkpoint), path: checkpoint)
    let inputs = normals(rows * network.graph.inputs, seed: 4)
    try Safetensors(tensors: [
      .init(name: "inputs", shape: [rows, network.graph.inputs], floats: inputs)
    ]).write(to: "\(folder)/inputs.safetensors")
    var workspace = Workspace(network.graph, capacity: rows)
    network.forward(inputs, rows: rows, workspace: &workspace)
    return workspace.logits
  }

  @Test func `a residual network of PyTorch's and a permuted copy merge to it, in PyTorch too`()
    throws
  {
    try withTemporaryFolder { folder in
      let architecture = "residual:20-12x3-5"
      let (a, b) = ("\(folder)/a.safetensors", "\(folder)/b.safetensors")
      try #require(try Python.script("residual.py", "save", architecture, a, "5").status == 0)
      let network = try Network(try Safetensors(contentsOf: a), path: a)
      #expect(network.graph.description == architecture)
      try network.permuted(by: InvarianceCheck(network.graph, draws: 1).draws[0]).checkpoint()
        .write(to: b)
      let ours = try ourLogits(a, rows: 32, in: folder)
      #expect(largestDifference(ours, try theirLogits(architecture, a, in: folder)) < 1e-4)
      #expect(largestDifference(ours, try theirLogits(architecture, b, in: folder)) < 1e-4)
      let merged = "\(folder)/merged.safetensors"
      for method in ["weight-matching", "mergemany"] {
        try Program.succeed(["merge", a, b, "--method", method, "--output", merged])
        #expect(largestDifference(ours, try theirLogits(architecture, merged, in: folder)) < 1e-4)
      }
      try Program.succeed(["merge", a, b, "--method", "naive", "--output", merged])
      #expect(largestDifference(ours, try theirLogits(architecture, merged, in: folder)) > 1e-2)
    }
  }

  @Test func `a run's residual members and what is made of them are PyTorch's`() throws {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      let architecture = "residual:784-16x2-10"
      try Program.succeed([
        "run", "--output", run, "--dataset", "synthetic", "--architecture", architecture,
        "--members", "2", "--epochs", "1", "--batch-size", "500", "--method",
        "weight-matching,unit-weights(epochs=1)",
      ])
      for name in [
        "members/000", "merged/weight-matching+unit-weights(epochs=1)", "students/000",
      ] {
        let path = "\(run)/\(name).safetensors"
        let ours = try ourLogits(path, rows: 32, in: folder)
        #expect(ours.contains { abs($0) > 0.1 })
        #expect(
          largestDifference(ours, try theirLogits(architecture, path, in: folder)) < 1e-4, "\(name)"
        )
      }
    }
  }
}
