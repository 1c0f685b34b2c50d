import Datasets
import Experiments
import Networks
import Tensors
import Training

/// The logits of the test images by an ensemble of M networks and by one merged network.
struct InferenceBenchmark: Measurement {
  let settings: BenchmarkSettings
  private let data: DatasetPair
  private let members: [Network]

  init(_ settings: BenchmarkSettings) throws {
    self.settings = settings
    data = try settings.loadData()
    members = (0..<settings.members).map(settings.network)
  }

  func measure() -> [BenchmarkReport.Row] {
    let test = Images(data.test, normalization: settings.experiment.normalization)
    func logits(_ network: Network) -> [Float] {
      Training.logits(
        of: network, on: test, threads: settings.threads)
    }
    let merged = Network(settings.architecture, parameters: mean(of: members.map(\.parameters)))
    // Taken in turns, so that what else the machine does meets both.
    var (ensemble, one) = ([Double](), [Double]())
    for repeat_ in 0...settings.repeats {
      let many = elapsed { _ = mean(of: members.map(logits)) }
      let single = elapsed { _ = logits(merged) }
      guard repeat_ > 0 else { continue }
      ensemble.append(many)
      one.append(single)
    }
    let ratios = Timing(zip(ensemble, one).map { $0 / $1 })
    let images = Double(test.count)
    var rows = [
      Timing(ensemble).row("ensemble, M = \(members.count)", amount: images, unit: "images/s"),
      Timing(one).row("merged network", amount: images, unit: "images/s"),
    ]
    rows[1].result = ratios.median
    return rows
  }

  var notes: [String] {
    ["The merged network's result is how many times faster it is than the ensemble."]
  }
}
