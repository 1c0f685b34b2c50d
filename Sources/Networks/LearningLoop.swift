/// The mean loss in nats and the accuracy over an epoch's samples, each batch before its own step.
public struct EpochAverages: Equatable, Sendable {
  public var loss: Double
  public var accuracy: Double
}

/// Goes through a source for some epochs, a step a batch.
///
/// What all learning here has in common: members, students and merges differ only in what a step does.
///
/// - Parameters:
///   - source: where the batches come from.
///   - epochs: how many times.
///   - onStep: called after each step with the number done and the number there will be.
///   - step: learns from a batch; given the step's number, from 0, and how many there will be.
///   - endEpoch: called after each epoch, counted from 1.
public func learn(
  from source: some BatchSource, epochs: Int, onStep: (Int, Int) -> Void = { _, _ in },
  step: (Batch, Int, Int) throws -> LossValue,
  endEpoch: (Int, EpochAverages) throws -> Void = { _, _ in }
) rethrows {
  var batches = source
  var batch = Batch(
    capacity: min(batches.batchSize, batches.sampleCount), features: batches.features)
  let total = epochs * batches.batchesPerEpoch
  var done = 0
  for epoch in stride(from: 1, through: epochs, by: 1) {
    batches.startEpoch(epoch)
    var loss = 0.0
    var correct = 0
    for index in 0..<batches.batchesPerEpoch {
      batches.fill(&batch, with: index)
      let value = try step(batch, done, total)
      loss += value.loss * Double(batch.count)
      correct += value.correct
      done += 1
      onStep(done, total)
    }
    let samples = Double(batches.sampleCount)
    try endEpoch(
      epoch, EpochAverages(loss: loss / samples, accuracy: Double(correct) / samples))
  }
}
