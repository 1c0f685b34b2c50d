import Networks
import Tensors
import TestSupport

/// Epochs over a few random samples, whose labels a network can learn.
struct SmallBatches: BatchSource {
  let sampleCount: Int
  let batchSize: Int
  let features: Int
  private let inputs: [Float]
  private let labels: [Int]
  private var order: [Int] = []

  init(count: Int, batchSize: Int, features: Int, classes: Int, seed: Int = 1) {
    (sampleCount, self.batchSize, self.features) = (count, batchSize, features)
    let inputs = normals(count * features, seed: seed)
    self.inputs = inputs
    // The class is where the first inputs' largest is.
    labels = (0..<count).map { sample in
      (0..<classes).max {
        inputs[sample * features + $0 % features] < inputs[sample * features + $1 % features]
      } ?? 0
    }
  }

  var batchesPerEpoch: Int { (sampleCount + batchSize - 1) / batchSize }

  mutating func startEpoch(_ epoch: Int) {
    var random = RandomStream(seed: 1, "order", epoch)
    order = random.permutation(of: sampleCount)
  }

  func fill(_ batch: inout Batch, with index: Int, rows: Range<Int>) {
    let start = index * batchSize
    let samples = order[start + rows.lowerBound..<min(start + rows.upperBound, order.count)]
    batch.count = samples.count
    for (row, sample) in samples.enumerated() {
      batch.labels[row] = labels[sample]
      for i in 0..<features { batch.inputs[row * features + i] = inputs[sample * features + i] }
    }
  }

  /// The batch of a step, in the order of the epochs.
  func batch(ofStep step: Int) -> Batch {
    var source = self
    source.startEpoch(step / batchesPerEpoch + 1)
    var batch = Batch(capacity: batchSize, features: features)
    source.fill(&batch, with: step % batchesPerEpoch)
    return batch
  }
}

/// What stops a learner in a test.
struct Interruption: Error {}
