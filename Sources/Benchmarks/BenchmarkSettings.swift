import Datasets
import Experiments
import Foundation
import Networks
import Tensors

/// What a benchmark runs on, and how often.
public struct BenchmarkSettings: Sendable {
  /// Threads that compute.
  public var threads: Int

  /// How often each thing is timed.
  public var repeats: Int

  /// Epochs of training or merging that are run before those that are timed.
  public var warmUp: Int
  public var batchSize: Int
  public var architecture: Graph

  /// M, how many networks are merged or make the ensemble.
  public var members: Int

  /// How many batches of an epoch are timed; nil for all.
  public var batches: Int?
  public var dataset: DatasetName

  /// Where the data set's files are; nil for their usual place.
  public var dataFolder: String?

  /// Only rows whose name contains this text are measured; nil for all.
  public var filter: String?

  /// Where the assignment's matrices are written; nil for nowhere.
  public var matrixFolder: String?

  /// The thesis' network and batches, on one thread.
  public static var standard: BenchmarkSettings {
    let thesis = Recipe.thesis.experiment
    return BenchmarkSettings(
      threads: 1, repeats: 5, warmUp: 1, batchSize: thesis.training.batchSize,
      architecture: thesis.architecture, members: thesis.members, batches: nil,
      dataset: thesis.dataset, dataFolder: nil, filter: nil, matrixFolder: nil)
  }

  /// Checks what the types do not.
  ///
  /// - Throws: ``UsageError`` naming the option that is out of range.
  public func validate() throws(UsageError) {
    for (option, value) in [
      ("threads", threads), ("repeats", repeats), ("batch-size", batchSize), ("members", members),
      ("warm-up", warmUp), ("batches", batches ?? 1),
    ] where !(1...1_000_000).contains(value) {
      throw UsageError("--\(option) \(value): expected 1 to 1000000")
    }
  }

  /// The experiment whose parts are timed: the thesis', with these settings.
  var experiment: Experiment {
    var result = Recipe.thesis.experiment
    result.architecture = architecture
    result.members = members
    result.dataset = dataset
    result.training.batchSize = batchSize
    return result
  }

  /// The first batches of each epoch of the training images.
  ///
  /// - Parameters:
  ///   - data: the set.
  ///   - purpose: keeps streams of random numbers apart.
  ///   - count: how many batches of an epoch; nil for all.
  /// - Returns: the batches, with all of them as their source.
  func batches(
    _ data: DatasetPair, for purpose: String, count: Int?
  ) -> FirstBatches<ImageBatches> {
    let experiment = experiment
    var all = ImageBatches(
      Images(data.training, normalization: experiment.normalization), batchSize: batchSize,
      isFlipping: experiment.training.flips, seed: experiment.seed, purpose: purpose)
    all.threads = threads
    return FirstBatches(all, count: count)
  }

  /// Reads the data set, and checks that the network fits it.
  func loadData() throws -> DatasetPair {
    let data = try dataset.load(from: dataFolder)
    try experiment.validate(against: data.training)
    return data
  }

  /// The network of a member, with random parameters: a product takes as long with any.
  func network(_ member: Int) -> Network {
    Network(architecture, random: RandomStream(seed: 1, "benchmark member", member))
  }
}
