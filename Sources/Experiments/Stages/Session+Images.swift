import Datasets
import MPI
import Networks
import Tensors
import Training

/// Images as stages use them: which are learned from, which are held out, in which order.
extension Session {
  /// Whether each member has images of its own, which no other rank sees.
  var isSharded: Bool { experiment.shards != nil }

  /// The training images that all members share; nil where each has its own.
  func trainingImages() throws -> Images? {
    guard let training = try data().training else { return nil }
    return images(of: training, try split(training).training)
  }

  /// The held-out images that all members share; nil if there are none.
  func heldOutImages() throws -> Images? {
    guard let training = try data().training else { return nil }
    return try heldOut(of: training)
  }

  /// The images that a member learns from, on its rank.
  func trainingImages(ofMember member: Int) throws -> Images {
    if let shared = try trainingImages() { return shared }
    guard let shard = try data().shards[member] else {
      preconditionFailure("the images of member \(member) are with another rank")
    }
    return images(of: shard, try split(shard).training)
  }

  /// The images that are held out for a member, on its rank; nil if none are.
  func heldOutImages(ofMember member: Int) throws -> Images? {
    guard isSharded else { return try heldOutImages() }
    return try data().shards[member].flatMap { try heldOut(of: $0) }
  }

  /// All members' images, each on its own rank; nil where they share one set.
  func shardedImages() throws -> ShardedImages? {
    let data = try data()
    guard isSharded else { return nil }
    return ShardedImages(
      try data.shards.map { shard in
        try shard.map { images(of: $0, try split($0).training) }
      }, counts: data.counts.map { $0 - experiment.validation }, features: data.features)
  }

  /// The test images; where members have their own images, on rank 0 alone.
  func testImages() throws -> Images {
    guard let test = try data().test else {
      preconditionFailure("the test images are on rank 0")
    }
    return Images(test, normalization: experiment.normalization)
  }

  private func split(_ dataset: Dataset) throws(DataError) -> ValidationSplit {
    try ValidationSplit(dataset, holdingOut: experiment.validation, seed: experiment.seed)
  }

  private func heldOut(of dataset: Dataset) throws(DataError) -> Images? {
    let indices = try split(dataset).validation
    return indices.isEmpty ? nil : images(of: dataset, indices)
  }

  private func images(of dataset: Dataset, _ indices: [Int]) -> Images {
    Images(
      dataset, indices: indices, normalization: experiment.normalization,
      isFlipping: experiment.training.flips)
  }

  /// The normalisation that the images learned from ask for: of shards by their sums.
  func measuredNormalization() throws -> Normalization {
    if let shared = try trainingImages() {
      return Normalization(moments: ByteMoments(shared.dataset, indices: shared.indices))
    }
    var own = ByteMoments()
    for case let shard? in try data().shards {
      let moments = ByteMoments(shard, indices: try split(shard).training)
      own.count += moments.count
      own.sum += moments.sum
      own.squares += moments.squares
    }
    // Whole numbers: their sum does not depend on an order.
    let all = try world.allreduce([own.count, own.sum, own.squares], .sum, phase: "normalisation")
    return Normalization(moments: ByteMoments(count: all[0], sum: all[1], squares: all[2]))
  }

  /// Seeded batches of some images.
  ///
  /// - Parameters:
  ///   - images: what is learned from.
  ///   - purpose: keeps the streams of members and students apart.
  ///   - index: which member or student.
  ///   - targets: soft targets to distil from.
  ///   - threads: how many threads may assemble a batch.
  /// - Returns: the batches.
  func batches(
    of images: Images, for purpose: String, _ index: Int, targets: SoftTargets? = nil, threads: Int
  ) -> ImageBatches {
    var batches = ImageBatches(
      images, batchSize: experiment.training.batchSize, isFlipping: experiment.training.flips,
      targets: targets, seed: experiment.seed, purpose: purpose, member: index)
    batches.threads = threads
    return batches
  }

  /// Gives a function for the accuracy on the images that are held out for a member, if any are.
  ///
  /// - Parameters:
  ///   - member: by number; whoever it is where all share them.
  ///   - threads: how many threads compute it.
  /// - Returns: the function, or nil.
  /// - Throws: `JointFailure`, on every rank, if the data cannot be had.
  func validator(ofMember member: Int, threads: Int) throws -> ((Network) throws -> Double)? {
    try heldOutImages(ofMember: member).map { images in
      { accuracy(of: $0, on: images, threads: threads) }
    }
  }

  /// Writes which images members have, on rank 0, if each has its own.
  func recordShards() throws {
    guard isSharded else { return }
    let data = try data()
    try folder.writeJSON(
      ShardRecord(sizes: data.counts, classes: data.classCounts), "shards.json")
  }
}
