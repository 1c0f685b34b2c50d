import Datasets
import Networks
import Tensors

/// The loss and accuracy of weighted means of a few networks' parameters, each built and run.
///
/// As ``lossAndAccuracy(of:from:on:threads:onImages:)``, of networks of any graph. Where they have batch normalisation each mean of several gets the
/// statistics of some images: those of the networks are none of the mean's.
///
/// - Parameters:
///   - weights: one for each network, of each mean; not all zero.
///   - networks: of one graph, as they are lined up.
///   - images: what the means are run on.
///   - sample: images whose statistics a mean has, all in memory at once.
///   - threads: how many threads compute; the bits do not depend on it.
///   - onImages: called with the number of images that have been done since the last call.
/// - Returns: of each mean.
public func lossAndAccuracy(
  ofMeans weights: [[Double]], of networks: [Network], on images: Images,
  statisticsOf sample: Images,
  threads: Int = 1, onImages: (Int) -> Void = { _ in }
) -> [LossAndAccuracy] {
  var inputs = [Float](repeating: 0, count: sample.count * sample.features)
  if !networks[0].buffers.isEmpty { sample.write(0..<sample.count, into: &inputs) }
  return weights.map { weights in
    let terms = weights.enumerated().filter { $0.element != 0 }
    var mean = networks[terms[0].offset]
    if terms.count > 1 {
      mean.parameters.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
      for (number, weight) in terms {
        accumulate(networks[number].parameters, scale: Float(weight), into: &mean.parameters)
      }
      mean = mean.withStatistics(of: inputs, rows: sample.count, threads: threads)
    }
    let sum = summedLoss(
      logits(of: mean, on: images, threads: threads), labels: images.labels)
    onImages(images.count)
    let count = Double(images.count)
    return LossAndAccuracy(loss: sum.loss / count, accuracy: Double(sum.correct) / count)
  }
}
