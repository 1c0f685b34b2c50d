import Datasets
import Experiments
import Networks
import Tensors
import Training

/// An epoch of the program's own trainer, and the parts of one of its steps.
struct TrainingBenchmark: Measurement {
  let settings: BenchmarkSettings
  private let data: DatasetPair

  init(_ settings: BenchmarkSettings) throws {
    self.settings = settings
    data = try settings.loadData()
  }

  var notes: [String] {
    [
      "The parts are timed one after another in steps of their own. \"products\" are the matrix"
        + " products of forward and backward alone; \"other passes\" are forward, loss and backward"
        + " without them: a difference, which a disturbed machine can make negative."
    ]
  }

  func measure() throws -> [BenchmarkReport.Row] {
    let batches = settings.batches(data, for: "benchmark training", count: settings.batches)
    let images = Double(batches.source.sampleCount)
    let (times, loss) = try train(on: batches)
    let timed = batches.batchesPerEpoch
    let epochs = times.epochs(
      timed: timed, of: batches.source.batchesPerEpoch, after: settings.warmUp)
    let steps = times.steps(timed: timed, after: settings.warmUp)
    var rows = [
      epochs.row("epoch", amount: images, unit: "images/s", result: loss),
      steps.row(
        "step", amount: Double(min(settings.batchSize, data.training.count)), unit: "images/s"),
    ]
    rows += StepParts(settings, batches).measure()
    return rows
  }

  /// Trains for the epochs of warming up and `repeats` more.
  private func train(
    on batches: FirstBatches<ImageBatches>
  ) throws -> (times: BatchTimes, loss: Double?) {
    var training = settings.experiment.training
    training.epochs = settings.warmUp + settings.repeats
    var trainer = Trainer(training, subject: "benchmark")
    trainer.threads = settings.threads
    var times = BatchTimes()
    trainer.onBatch = { _, _ in times.mark() }
    var network = settings.network(0)
    let records = try trainer.train(&network, on: batches, minimizing: CrossEntropy())
    return (times, records.last?.loss)
  }
}
