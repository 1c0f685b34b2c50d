import Networks
import Tensors

extension BatchSource {
  /// Hands on the first batches of the first epoch, up to a number of samples; the last is cut to it.
  func forFirstSamples(_ count: Int, _ body: (Batch) throws -> Void) rethrows {
    var source = self
    var batch = Batch(capacity: min(batchSize, sampleCount), features: features)
    source.startEpoch(1)
    var done = 0
    for index in 0..<source.batchesPerEpoch where done < count {
      source.fill(&batch, with: index)
      batch.count = min(batch.count, count - done)
      done += batch.count
      try body(batch)
    }
  }
}
