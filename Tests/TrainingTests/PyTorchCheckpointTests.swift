import Datasets
import Foundation
import Networks
import Tensors
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
    let test = Images(
      try DatasetName.fashionMNIST.load().test, normalization: .symmetric)
    try withTemporaryFolder { folder in
      #expect(try Python.script("checkpoints.py", folder).status == 0)
      let json = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/expected.json"))
      let expected = try JSONDecoder().decode([String: Measured].self, from: json)
      #expect(expected.keys.sorted().map { $0.prefix(4) } == ["attr", "deep", "sequ"])
      for (name, measured) in expected {
        let path = "\(folder)/\(name)"
        let network = try Network(try Safetensors(contentsOf: path), path: path)
        let own = logits(of: network, on: test, threads: 2)
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
    let graph = try #require(Graph("784-32-16-10"))
    var network = Network(graph, random: RandomStream(seed: 1, "member", 0))
    let settings = TrainingSettings(
      epochs: 1, batchSize: 128, learningRate: 0.05, schedule: .cosine, momentum: 0.9,
      weightDecay: 0, flips: false)
    _ = try Trainer(settings, subject: "member 0").train(
      &network,
      on: ImageBatches(
        Images(pair.training, indices: Array(0..<20_000), normalization: normalization),
        batchSize: 128, isFlipping: false, seed: 1, purpose: "train"),
      minimizing: CrossEntropy())
    let test = Images(pair.test, normalization: normalization)
    let own = logits(of: network, on: test)
    #expect(correct(own, test) > 7000)

    try withTemporaryFolder { folder in
      let path = "\(folder)/member.safetensors"
      try network.checkpoint(metadata: ["normalization": normalization.description])
        .write(to: path)
      let (status, output) = try Python.script("checkpoints.py", "--load", path)
      #expect(status == 0)
      let measured = try JSONDecoder().decode(Measured.self, from: output)
      #expect(measured.architecture == graph.description)
      #expect(measured.correct == correct(own, test))
      #expect(abs(measured.nll - nll(own, test)) < 1e-5)
    }
  }

  private func correct(_ logits: [Float], _ images: Images) -> Int {
    let (probabilities, labels) = (Probabilities(logits: logits, classes: 10), images.labels)
    return labels.indices.count { probabilities.prediction($0) == labels[$0] }
  }

  private func nll(_ logits: [Float], _ images: Images) -> Double {
    Scores(Probabilities(logits: logits, classes: 10), labels: images.labels).nll
  }
}
