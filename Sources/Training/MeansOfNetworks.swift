import Datasets
import Foundation
import Networks

/// Mean cross entropy in nats, and the share that is classified correctly.
public struct LossAndAccuracy: Equatable, Sendable {
  public var loss: Double
  public var accuracy: Double
}

/// Networks as an alignment has reordered their hidden units, and weighted means of their parameters.
public struct AlignedMeans: Sendable {
  /// Which unit of network m's first hidden layer stands in place i: [m][i]; nil for the order they have.
  let firstUnits: [[Int]]?

  /// The layers after each network's first; none if there is one layer only.
  let rests: [Network]

  /// The networks with a weight other than zero, and it, of each mean.
  let means: [[(block: Int, weight: Float)]]

  /// Means of some networks.
  ///
  /// - Parameters:
  ///   - networks: as they are reordered.
  ///   - firstUnits: which unit of each network's first hidden layer, as it was given, stands in each place; nil if
  ///     they have not been reordered.
  ///   - weights: one for each network, of each mean; not all zero.
  public init(_ networks: [Network], firstUnits: [[Int]]? = nil, weights: [[Double]]) {
    precondition(firstUnits.map { $0.count == networks.count } ?? true)
    self.firstUnits = firstUnits
    rests = networks.compactMap(\.split.rest)
    means = weights.map { weights in
      precondition(weights.count == networks.count)
      return weights.enumerated().compactMap { $1 == 0 ? nil : ($0, Float($1)) }
    }
  }
}

/// The loss and accuracy of many weighted means of a few networks' parameters.
///
/// Before its ReLU a layer is linear in its parameters, so the first layer of Σ_m λ_m θ_m puts out Σ_m λ_m z_m; and
/// reordering hidden units reorders the z. So the product with the images, nearly all the work where inputs are wide,
/// is done once a network, however many means and alignments there are. A mean of one network in the order it was
/// given has the bits of its ``logits(of:on:images:normalization:isFlipped:threads:)``.
///
/// - Parameters:
///   - alignments: reordered networks with the means that are wanted.
///   - networks: the networks as they were given.
///   - dataset: the images.
///   - images: which of them; nil for all.
///   - normalization: how bytes become the networks' inputs.
///   - threads: how many threads compute; the bits do not depend on it.
///   - onImages: called, by any thread, with the number of images that have been done since the last call.
/// - Returns: [alignment][mean].
public func lossAndAccuracy(
  of alignments: [AlignedMeans], from networks: [Network], on dataset: Dataset,
  images: [Int]? = nil,
  normalization: Normalization, threads: Int = 1, onImages: @Sendable (Int) -> Void = { _ in }
) -> [[LossAndAccuracy]] {
  let images = images ?? Array(0..<dataset.count)
  let firsts = networks.map(\.split.first)
  let chunks = stride(from: 0, to: images.count, by: evaluationChunk).map {
    Array(images[$0..<min($0 + evaluationChunk, images.count)])
  }
  let parts = concurrentMap(chunks.count, threads: threads) { index in
    let chunk = chunks[index]
    var preactivations = Preactivations(
      of: firsts, on: dataset, images: chunk, normalization: normalization)
    let labels = dataset.labels(of: chunk)
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

  init(of firsts: [Network], on dataset: Dataset, images: [Int], normalization: Normalization) {
    let architecture = firsts[0].architecture
    (rows, width) = (images.count, architecture.outputs)
    var inputs = [Float](repeating: 0, count: rows * dataset.features)
    for (row, image) in images.enumerated() {
      dataset.normalize(image, by: normalization, isFlipped: false, into: &inputs, row: row)
    }
    var workspace = Workspace(architecture, capacity: rows)
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
  func sum(_ terms: [(block: Int, weight: Float)], isRectified: Bool) {
    preactivations.values.withUnsafeBufferPointer { values in
      outputs.withUnsafeMutableBufferPointer {
        weightedSum(terms, of: values, isRectified: isRectified, into: $0)
      }
    }
  }
  guard var rest = alignment.rests.first else {
    return alignment.means.map { terms in
      sum(terms, isRectified: false)
      return summedLoss(outputs, labels: labels)
    }
  }
  var workspace = Workspace(rest.architecture, capacity: rows)
  return alignment.means.map { terms in
    sum(terms, isRectified: true)
    for i in rest.parameters.indices { rest.parameters[i] = 0 }
    for term in terms {
      accumulate(
        alignment.rests[term.block].parameters, scale: term.weight, into: &rest.parameters)
    }
    rest.forward(outputs, rows: rows, workspace: &workspace)
    return summedLoss(workspace.logits, labels: labels)
  }
}

/// The summed cross entropy of logits, and how many labels have the largest; ties go to the lowest class.
private func summedLoss(_ logits: [Float], labels: [Int]) -> (loss: Double, correct: Int) {
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
