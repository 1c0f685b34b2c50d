import Foundation
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
      var workspace = Workspace(network.architecture, capacity: 64)
      network.forward(try floats("inputs", "inputs"), rows: 64, workspace: &workspace)
      let theirs = try floats("logits", "logits")
      #expect(largestDifference(workspace.logits, theirs) < 1e-4)
      // The others are the first but for their units' order and some noise, and so is the merge.
      let original = try floats("inputs", "logits")
      let largest = original.reduce(0) { max($0, abs($1)) }
      #expect(largestDifference(theirs, original) < 0.02 * largest)
    }
  }
}
