import Experiments
import Networks
import Tensors

/// The first batches of each of a source's epochs.
struct FirstBatches<Source: BatchSource>: BatchSource {
  /// All batches.
  private(set) var source: Source
  let batchesPerEpoch: Int

  /// The first `count` batches, or all if there are not so many or `count` is nil.
  init(_ source: Source, count: Int?) {
    self.source = source
    batchesPerEpoch = min(count ?? source.batchesPerEpoch, source.batchesPerEpoch)
  }

  var batchSize: Int { source.batchSize }
  var features: Int { source.features }
  var sampleCount: Int { min(batchesPerEpoch * batchSize, source.sampleCount) }

  mutating func startEpoch(_ epoch: Int) { source.startEpoch(epoch) }

  func fill(_ batch: inout Batch, with index: Int, rows: Range<Int>) {
    source.fill(&batch, with: index, rows: rows)
  }
}
