import Networks
import Tensors
import TestSupport

/// A network of a text, whose parameters are not those of a new one: all are normal, norms' gains near one.
func randomNetwork(_ text: String, seed: Int = 1) throws -> Network {
  randomized(try Graph(parsing: text), seed: seed)
}

/// A network of a graph with random parameters.
func randomized(_ graph: Graph, seed: Int) -> Network {
  var network = Network(graph, random: RandomStream(seed: UInt64(seed), "network"))
  var random = RandomStream(seed: UInt64(seed), "gains")
  for tensor in graph.tensors where tensor.initializer == .constant(1) {
    for i in tensor.range { network.parameters[i] = 1 + 0.2 * random.normal() }
  }
  for tensor in graph.tensors where tensor.initializer == .constant(0) {
    for i in tensor.range { network.parameters[i] = 0.2 * random.normal() }
  }
  return network
}

/// A network of a random graph: dense layers, ReLUs, sums and norms that read any values before them.
///
/// A value may be read by several nodes, added to itself, or be the input. The norms' ε is so large that small steps stay small.
func randomGraphNetwork(seed: Int) throws -> Network {
  var random = RandomStream(seed: UInt64(seed), "graph")
  let inputs = 2 + random.integer(below: 5)
  var nodes: [Node] = []
  var values = [(name: Graph.inputName, width: inputs)]
  var isRead: Set<String> = [Graph.inputName]
  func add(_ layer: any Layer, width: Int, reads: String...) {
    nodes.append(Node("n\(nodes.count)", layer, reads: reads))
    isRead.formUnion(reads)
    values.append((nodes[nodes.count - 1].name, width))
  }
  for _ in 0..<4 + random.integer(below: 8) {
    // Late values are read more often, as in networks that people make.
    let back = min(random.integer(below: 3), values.count - 1)
    let source = values[values.count - 1 - back]
    switch random.integer(below: 6) {
    case 0, 1:
      let width = 2 + random.integer(below: 5)
      add(Dense(width), width: width, reads: source.name)
    case 2, 3: add(ReLU(), width: source.width, reads: source.name)
    case 4: add(LayerNorm(epsilon: 0.1), width: source.width, reads: source.name)
    default:
      let equals = values.filter { $0.width == source.width }
      let other = equals[random.integer(below: equals.count)]
      add(Add(), width: source.width, reads: source.name, other.name)
    }
  }
  // Whatever nobody has read goes to the logits.
  var sum: String?
  for end in values where !isRead.contains(end.name) {
    add(Dense(3), width: 3, reads: end.name)
    if let sum { add(Add(), width: 3, reads: sum, nodes[nodes.count - 1].name) }
    sum = nodes[nodes.count - 1].name
  }
  return randomized(try Graph(input: [inputs], nodes), seed: seed)
}

/// A network's logits for some samples, in memory for inference.
func logits(_ network: Network, _ inputs: [Float], rows: Int) -> [Float] {
  var workspace = Workspace(network.graph, capacity: rows, purpose: .inference)
  network.forward(inputs, rows: rows, workspace: &workspace)
  return workspace.logits
}

/// A batch of random samples for a graph, with random labels.
func randomBatch(_ graph: Graph, rows: Int, seed: Int) -> Batch {
  var batch = Batch(capacity: rows, features: graph.inputs)
  var random = RandomStream(seed: UInt64(seed), "labels")
  batch.count = rows
  batch.inputs = normals(rows * graph.inputs, seed: seed)
  batch.labels = (0..<rows).map { _ in random.integer(below: graph.outputs) }
  return batch
}

/// The cross entropy of a batch, its gradient, and the logits, all by a workspace of some capacity.
func lossAndGradient(
  _ network: Network, _ batch: Batch, capacity: Int? = nil, threads: Int = 1
) -> (loss: Double, gradient: [Float], logits: [Float]) {
  var workspace = Workspace(network.graph, capacity: capacity ?? batch.count, threads: threads)
  network.forward(batch.inputs, rows: batch.count, workspace: &workspace)
  let value = CrossEntropy().evaluate(batch, workspace: &workspace)
  var gradient = [Float](repeating: .nan, count: network.parameters.count)
  network.backward(
    batch.inputs, rows: batch.count, workspace: &workspace, gradient: &gradient)
  return (
    value.loss, gradient, Array(workspace.logits.prefix(batch.count * network.graph.outputs))
  )
}
