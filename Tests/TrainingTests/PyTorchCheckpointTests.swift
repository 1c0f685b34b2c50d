import Datasets
import Foundation
import Networks
import TestSupport
import Testing
import Training

/// Checkpoints both ways between PyTorch and the package, on Fashion-MNIST.
@Suite(
  .enabled(
    if: DatasetName.fashionMNIST.defaultFolder.map(FileManager.default.fileExists) == true,
    "needs the Debian package dataset-fashion-mnist"),
  .enabled(
    if: Python.imports("torch", "safetensors", "numpy"),
    "needs a Python with torch and safetensors; PERMAVG_PYTHON names its interpreter"))
struct PyTorchCheckpointTests {
  struct Measured: Decodable {
    let correct: Int
    let nll: Double
    var logits: String?
    var architecture: String?
  }

  @Test func `networks that PyTorch trained give its logits and its accuracy`() throws {
    let test = try DatasetName.fashionMNIST.load().test
    try withTemporaryFolder { folder in
      #expect(try Python.script("checkpoints.py", folder).status == 0)
      let json = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/expected.json"))
      let expected = try JSONDecoder().decode([String: Measured].self, from: json)
      #expect(expected.keys.sorted().map { $0.prefix(4) } == ["attr", "deep", "sequ"])
      for (name, measured) in expected {
        let path = "\(folder)/\(name)"
        let network = try Network(try Safetensors(contentsOf: path), path: path)
        let own = logits(of: network, on: test, normalization: .symmetric, threads: 2)
        let file = try Safetensors(contentsOf: "\(folder)/\(measured.logits ?? "none")")
        let theirs = try #require(file["logits"]?.floats)
        let difference = zip(own, theirs).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(difference < 1e-4, "\(name)")
        #expect(correct(own, test) == measured.correct, "\(name)")
        #expect(measured.correct > 5000, "\(name)")
        #expect(abs(nll(own, test) - measured.nll) < 1e-5, "\(name)")
      }
    }
  }

  @Test func `a network of the package loads strictly in PyTorch, with the same accuracy`() throws {
    let pair = try DatasetName.fashionMNIST.load()
    let normalization = try #require(Normalization("0.286,0.353"))
    let architecture = try #require(Architecture("784-32-16-10"))
    var network = Network(architecture, random: RandomStream(seed: 1, "member", 0))
    let settings = TrainingSettings(
      epochs: 1, batchSize: 128, learningRate: 0.05, schedule: .cosine, momentum: 0.9,
      weightDecay: 0, flips: false)
    _ = try Trainer(settings, subject: "member 0").train(
      &network,
      on: ImageBatches(
        pair.training, indices: Array(0..<20_000), batchSize: 128, normalization: normalization,
        isFlipping: false, seed: 1, purpose: "train"), minimizing: CrossEntropy())
    let own = logits(of: network, on: pair.test, normalization: normalization)
    #expect(correct(own, pair.test) > 7000)

    try withTemporaryFolder { folder in
      let path = "\(folder)/member.safetensors"
      try network.checkpoint(metadata: ["normalization": normalization.description])
        .write(to: path)
      let (status, output) = try Python.script("checkpoints.py", "--load", path)
      #expect(status == 0)
      let measured = try JSONDecoder().decode(Measured.self, from: output)
      #expect(measured.architecture == architecture.description)
      #expect(measured.correct == correct(own, pair.test))
      #expect(abs(measured.nll - nll(own, pair.test)) < 1e-5)
    }
  }

  private func correct(_ logits: [Float], _ set: Dataset) -> Int {
    let probabilities = Probabilities(logits: logits, classes: 10)
    return (0..<set.count).count { probabilities.prediction($0) == Int(set.labels[$0]) }
  }

  private func nll(_ logits: [Float], _ set: Dataset) -> Double {
    Scores(Probabilities(logits: logits, classes: 10), labels: set.labels()).nll
  }
}
