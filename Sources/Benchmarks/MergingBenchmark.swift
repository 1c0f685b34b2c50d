import Datasets
import Experiments
import Merging
import Networks
import Tensors
import Training

/// Learning PermAVG's permutations with the thesis' settings.
///
/// How long a step takes depends on what is learned: the sharper the matrices, the more iterations
/// Sinkhorn's operator and its gradient need. So the members are trained first, if briefly, and
/// `--warm-up` tells how far into the learning the clock starts.
struct MergingBenchmark: Measurement {
  let settings: BenchmarkSettings
  private let data: DatasetPair
  private let members: [Network]

  /// Batches that each member is trained on: enough to tell most classes apart.
  private static let memberBatches = 40

  init(_ settings: BenchmarkSettings) throws {
    self.settings = settings
    data = try settings.loadData()
    var training = settings.experiment.training
    training.epochs = 1
    var members: [Network] = []
    for number in 0..<settings.members {
      var network = settings.network(number)
      let batches = settings.batches(
        data, for: "benchmark member \(number)", count: Self.memberBatches)
      _ = try Trainer(training, subject: "member \(number)").train(
        &network, on: batches, minimizing: CrossEntropy())
      members.append(network)
    }
    self.members = members
  }

  func measure() throws -> [BenchmarkReport.Row] {
    let batches = settings.batches(data, for: "benchmark merging", count: settings.batches)
    var permAVG = PermAVGSettings.thesis
    permAVG.schedule = settings.experiment.training.schedule
    permAVG.epochs = settings.warmUp + settings.repeats
    var times = BatchTimes()
    let resources = MergeResources(
      team: ThreadTeam(threads: settings.threads), batches: batches,
      onStep: { _, _ in times.mark() })
    let merged = try PermAVG(permAVG).merge(members, with: resources)

    let timed = batches.batchesPerEpoch
    let (all, images) = (batches.source.batchesPerEpoch, Double(batches.source.sampleCount))
    let epochs = times.epochs(timed: timed, of: all, after: settings.warmUp)
    let steps = times.steps(timed: timed, after: settings.warmUp)
    let suffix = "M = \(settings.members)"
    return [
      epochs.row(
        "epoch, \(suffix)", amount: images, unit: "images/s",
        result: merged.curves.last?.epochs.last?.loss),
      steps.row("step, \(suffix)", amount: 1, unit: "steps/s"),
    ]
  }

  var notes: [String] {
    let batches = settings.batches(data, for: "benchmark merging", count: settings.batches)
    return [
      "The clock starts after \(settings.warmUp * batches.batchesPerEpoch) steps of learning; later"
        + " steps may take longer: sharper matrices need more iterations."
    ]
  }
}
