import Datasets
import Foundation
import Networks
import Tensors

/// Mean cross entropy in nats, and the share that is classified correctly.
public struct LossAndAccuracy: Equatable, Sendable {
  public var loss: Double
  public var accuracy: Double
}

/// Networks as an alignment has reordered their hidden units, and weighted means of their parameters.
public struct AlignedMeans: Sendable {
  /// Which unit of network m's first node stands in place i: [m][i]; nil for the order they have.
  let firstUnits: [[Int]]?

  /// What follows each network's first node; none if nothing does.
  let rests: [Network]

  /// The networks with a weight other than zero, and it, of each mean.
  let means: [[(block: Int, weight: Float)]]

  /// Means of some networks.
  ///
  /// - Parameters:
  ///   - networks: as they are reordered.
  ///   - firstUnits: which unit of each network's first node, as it was given, stands in each place; nil if
  ///     they have not been reordered.
  ///   - weights: one for each network, of each mean; not all zero.
  public init(_ networks: [Network], firstUnits: [[Int]]? = nil, weights: [[Double]]) {
    precondition(firstUnits.map { $0.count == networks.count } ?? true)
    self.firstUnits = firstUnits
    rests = networks.compactMap(\.firstNodeAndRest.rest)
    means = weights.map { weights in
      precondition(weights.count == networks.count)
      return weights.enumerated().compactMap { $1 == 0 ? nil : ($0, Float($1)) }
    }
  }
}

/// The loss and accuracy of many weighted means of a few networks' parameters.
///
/// A dense layer is linear in its parameters, so that of Σ_m λ_m θ_m puts out Σ_m λ_m z_m; and reordering units reorders
/// the z. So the product of the first layer with the images, nearly all the work where inputs are wide, is done once a
/// network, however many means and alignments there are. A mean of one network in the order it was given has the bits of
/// its ``logits(of:on:isFlipped:threads:)``. The networks' first node must be dense and the only one to read the input.
///
/// - Parameters:
///   - alignments: reordered networks with the means that are wanted.
///   - networks: the networks as they were given.
///   - images: what they are run on.
///   - threads: how many threads compute; the bits do not depend on it.
///   - onImages: called, by any thread, with the number of images that have been done since the last call.
/// - Returns: [alignment][mean].
public func lossAndAccuracy(
  of alignments: [AlignedMeans], from networks: [Network], on images: Images, threads: Int = 1,
  onImages: @Sendable (Int) -> Void = { _ in }
) -> [[LossAndAccuracy]] {
  let firsts = networks.map(\.firstNodeAndRest.first)
  let chunks = images.chunks
  let allLabels = images.labels
  let parts = concurrentMap(chunks.count, threads: threads) { index in
    let chunk = chunks[index]
    var preactivations = Preactivations(of: firsts, on: images, chunk)
    let labels = Array(allLabels[chunk])
    let sums = alignments.map { alignment in
      preactivations.reorder(by: alignment.firstUnits)
      return evaluate(alignment, from: preactivations, labels: labels)
    }
    onImages(chunk.count)
    return sums
  }
  return alignments.indices.map { alignment in
    alignments[alignment].means.indices.map { mean in
      // In the order of the chunks, which fixes the bits.
      var (loss, correct) = (0.0, 0)
      for part in parts {
        loss += part[alignment][mean].loss
        correct += part[alignment][mean].correct
      }
      let count = Double(images.count)
      return LossAndAccuracy(loss: loss / count, accuracy: Double(correct) / count)
    }
  }
}

/// What the first layers of some networks put out for some images, before the ReLU.
private struct Preactivations {
  let rows: Int
  let width: Int
  private let given: [Float]

  /// Networks × rows × width, as the last alignment reordered their columns.
  private(set) var values: [Float]

  init(of firsts: [Network], on images: Images, _ chunk: Range<Int>) {
    let graph = firsts[0].graph
    (rows, width) = (chunk.count, graph.outputs)
    var inputs = [Float](repeating: 0, count: rows * images.features)
    images.write(chunk, into: &inputs)
    var workspace = Workspace(graph, capacity: rows, purpose: .inference)
    var values: [Float] = []
    values.reserveCapacity(firsts.count * rows * width)
    for first in firsts {
      first.forward(inputs, rows: rows, workspace: &workspace)
      values.append(contentsOf: workspace.logits)
    }
    given = values
    self.values = values
  }

  mutating func reorder(by orders: [[Int]]?) {
    guard let orders else { return values = given }
    let size = rows * width
    given.withUnsafeBufferPointer { given in
      values.withUnsafeMutableBufferPointer { values in
        for (network, order) in orders.enumerated() {
          let block = network * size..<(network + 1) * size
          reorderColumns(
            of: UnsafeBufferPointer(rebasing: given[block]), by: order,
            into: UnsafeMutableBufferPointer(rebasing: values[block]))
        }
      }
    }
  }
}

/// The summed loss of each mean of an alignment, and how many images it classifies correctly.
private func evaluate(
  _ alignment: AlignedMeans, from preactivations: Preactivations, labels: [Int]
) -> [(loss: Double, correct: Int)] {
  let rows = preactivations.rows
  var outputs = [Float](repeating: 0, count: rows * preactivations.width)
  func sum(_ terms: [(block: Int, weight: Float)]) {
    preactivations.values.withUnsafeBufferPointer { values in
      outputs.withUnsafeMutableBufferPointer {
        weightedSum(terms, of: values, into: $0)
      }
    }
  }
  guard var rest = alignment.rests.first else {
    return alignment.means.map { terms in
      sum(terms)
      return summedLoss(outputs, labels: labels)
    }
  }
  var workspace = Workspace(rest.graph, capacity: rows, purpose: .inference)
  return alignment.means.map { terms in
    sum(terms)
    rest.parameters.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
    for term in terms {
      accumulate(
        alignment.rests[term.block].parameters, scale: term.weight, into: &rest.parameters)
    }
    rest.forward(outputs, rows: rows, workspace: &workspace)
    return summedLoss(workspace.logits, labels: labels)
  }
}

/// The summed cross entropy of logits, and how many labels have the largest; ties go to the lowest class.
func summedLoss(_ logits: [Float], labels: [Int]) -> (loss: Double, correct: Int) {
  let classes = logits.count / labels.count
  var loss = 0.0
  var correct = 0
  logits.withUnsafeBufferPointer { logits in
    for (sample, label) in labels.enumerated() {
      let row = sample * classes
      var best = 0
      for c in 1..<max(classes, 1) where logits[row + c] > logits[row + best] { best = c }
      let largest = Double(logits[row + best])
      var sum = 0.0
      for c in 0..<classes { sum += exp(Double(logits[row + c]) - largest) }
      loss += log(sum) + largest - Double(logits[row + label])
      correct += best == label ? 1 : 0
    }
  }
  return (loss, correct)
}

extension Network {
  /// The first node as a network of its own, and what follows it as another.
  fileprivate var firstNodeAndRest: (first: Network, rest: Network?) {
    guard let parts = graph.firstNodeAndRest else {
      precondition(graph.nodes.count == 1, "\(graph) has no single first node")
      return (self, nil)
    }
    return (part(parts.first), part(parts.rest))
  }
}
