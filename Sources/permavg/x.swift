import Datasets
import Merging
import Networks
import Training
import Foundation
@main struct Main {
  static func main() throws {
    let clock = ContinuousClock()
    var data: DatasetPair!
    print("load", try clock.measure { data = try DatasetName.fashionMNIST.load() }, BLAS.kernels)
    let arch = Architecture("784-512-10")!
    var members: [Network] = []
    let thesis = CommandLine.arguments.contains("thesis")
    let epochs = Int(CommandLine.arguments[1])!
    let settings = TrainingSettings(epochs: epochs, batchSize: 512, learningRate: 0.1, schedule: thesis ? .thesis : .cosine, momentum: 0.9, weightDecay: 1e-5, flips: true)
    for m in 0..<3 {
      var net = Network(arch, random: RandomStream(seed: 1, "member", m))
      let b = ImageBatches(data.training, batchSize: 512, normalization: .symmetric, isFlipping: true, seed: 1, purpose: "member", member: m)
      let t = try clock.measure { let r = try Trainer(settings, subject: "m").train(&net, on: b, minimizing: CrossEntropy()); print(r.last!) }
      let z = logits(of: net, on: data.test, normalization: .symmetric, threads: 2)
      print(m, t, Scores(Probabilities(logits: z, classes: 10), labels: data.test.labels()))
      members.append(net)
    }
    let zs = members.map { logits(of: $0, on: data.test, normalization: .symmetric) }
    for c in Combination.allCases { print(c, Scores(ensemblePrediction(zs, classes: 10, combining: c), labels: data.test.labels())) }
    let pb = ImageBatches(data.training, batchSize: 512, normalization: .symmetric, isFlipping: true, seed: 1, purpose: "permavg")
    let ps = PermAVGSettings(epochs: epochs, learningRate: 0.1, schedule: settings.schedule, sinkhorn: SinkhornSettings(temperature: 1, epsilon: 1e-3, iterations: 100, tolerance: Float(CommandLine.arguments[2])!))
    for method in MergingMethod.allCases {
      var result: MergeResult!
      let t = try clock.measure { result = try method.merger(permAVG: ps).merge(members, in: MergeContext(batches: pb, threads: 2)) }
      for v in result.variants {
        let z = logits(of: v.network, on: data.test, normalization: .symmetric, threads: 2)
        print(method, v.suffix, t, Scores(Probabilities(logits: z, classes: 10), labels: data.test.labels()))
      }
      for h in result.history { print(h) }
    }
  }
}
