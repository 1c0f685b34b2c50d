import Networks
import Tensors
import TestSupport

/// Random inputs labelled by a network, in batches of a fixed order.
struct RandomBatches: BatchSource {
  let batchSize: Int
  let batchesPerEpoch: Int
  let features: Int
  let inputs: [Float]
  let labels: [Int]

  var sampleCount: Int { labels.count }

  /// The labels are the classes of the network's largest logits.
  init(labelledBy network: Network, count: Int, seed: Int, batchSize: Int = 32) {
    self.batchSize = batchSize
    features = network.graph.inputs
    inputs = normals(count * features, seed: seed, "inputs")
    let classes = network.graph.outputs
    let logits = logits(network, inputs, rows: count)
    labels = (0..<count).map { row in
      (0..<classes).max { logits[row * classes + $0] < logits[row * classes + $1] } ?? 0
    }
    batchesPerEpoch = (count + batchSize - 1) / batchSize
  }

  /// Given inputs, all of class 0.
  init(inputs: [Float], features: Int) {
    batchSize = 32
    (self.inputs, self.features) = (inputs, features)
    labels = Array(repeating: 0, count: inputs.count / features)
    batchesPerEpoch = (labels.count + batchSize - 1) / batchSize
  }

  func startEpoch(_ epoch: Int) {}

  func fill(_ batch: inout Batch, with index: Int, rows own: Range<Int>) {
    let count = count(ofBatch: index)
    let rows =
      index * batchSize + min(own.lowerBound, count)..<index * batchSize
      + min(own.upperBound, count)
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

/// A network whose gains and shifts differ from unit to unit, as learning leaves them.
func drawnNetwork(_ graph: Graph, random: RandomStream, seed: Int) -> Network {
  var network = Network(graph, random: random)
  var noise = RandomStream(seed: UInt64(seed), "gains")
  for tensor in graph.tensors {
    guard case .constant = tensor.initializer else { continue }
    for place in tensor.range { network.parameters[place] += 0.3 * noise.normal() }
  }
  return network
}

/// A network with weights large enough that its predictions are sure.
func randomNetwork(_ graph: Graph, seed: Int, scale: Float = 3) -> Network {
  var network = drawnNetwork(
    graph, random: RandomStream(seed: UInt64(seed), "network"), seed: seed)
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
