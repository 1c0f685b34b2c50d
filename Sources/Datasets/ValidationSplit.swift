import Networks
import Tensors

/// Which training images are learned from, and which are held out for choosing.
public struct ValidationSplit: Equatable, Sendable {
  /// In the set's order.
  public let training: [Int]

  /// In the set's order; empty if nothing is held out.
  public let validation: [Int]

  /// Holds out `count` images at random, the same for every member of an experiment.
  ///
  /// - Throws: ``DataError`` if no image would be left to learn from.
  public init(_ dataset: Dataset, holdingOut count: Int, seed: UInt64) throws(DataError) {
    guard count < dataset.count else {
      throw DataError(
        dataset.name,
        "has \(dataset.count) images; --validation \(count) would leave none to learn from")
    }
    guard count > 0 else {
      training = Array(0..<dataset.count)
      validation = []
      return
    }
    var random = RandomStream(seed: seed, "validation split")
    let shuffled = random.permutation(of: dataset.count)
    validation = shuffled[..<count].sorted()
    training = shuffled[count...].sorted()
  }
}
