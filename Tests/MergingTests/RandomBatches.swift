import Networks
import TestSupport

/// Random inputs labelled by a network, in batches of a fixed order.
struct RandomBatches: BatchSource {
  let batchSize = 32
  let batchesPerEpoch: Int
  let features: Int
  let inputs: [Float]
  let labels: [Int]

  var sampleCount: Int { labels.count }

  /// The labels are the classes of the network's largest logits.
  init(labelledBy network: Network, count: Int, seed: Int) {
    features = network.architecture.inputs
    inputs = normals(count * features, seed: seed, "inputs")
    let classes = network.architecture.outputs
    let logits = logits(network, inputs, rows: count)
    labels = (0..<count).map { row in
      (0..<classes).max { logits[row * classes + $0] < logits[row * classes + $1] } ?? 0
    }
    batchesPerEpoch = (count + batchSize - 1) / batchSize
  }

  /// Given inputs, all of class 0.
  init(inputs: [Float], features: Int) {
    (self.inputs, self.features) = (inputs, features)
    labels = Array(repeating: 0, count: inputs.count / features)
    batchesPerEpoch = (labels.count + batchSize - 1) / batchSize
  }

  func startEpoch(_ epoch: Int) {}

  func fill(_ batch: inout Batch, with index: Int) {
    let rows = index * batchSize..<min((index + 1) * batchSize, sampleCount)
    batch.count = rows.count
    batch.inputs.replaceSubrange(
      0..<rows.count * features,
      with: inputs[rows.lowerBound * features..<rows.upperBound * features])
    batch.labels.replaceSubrange(0..<rows.count, with: labels[rows])
  }

  /// All samples as one batch.
  var whole: Batch {
    var batch = Batch(capacity: sampleCount, features: features)
    (batch.count, batch.inputs, batch.labels) = (sampleCount, inputs, labels)
    return batch
  }
}

/// A network with weights large enough that its predictions are sure.
func randomNetwork(_ architecture: Architecture, seed: Int, scale: Float = 3) -> Network {
  var network = Network(architecture, random: RandomStream(seed: UInt64(seed), "network"))
  for i in network.parameters.indices { network.parameters[i] *= scale }
  return network
}

/// The network with noise on every parameter.
func noisy(_ network: Network, seed: Int, size: Float) -> Network {
  var result = network
  accumulate(
    normals(network.parameters.count, seed: seed, "noise"), scale: size, into: &result.parameters)
  return result
}
