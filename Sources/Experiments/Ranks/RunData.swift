import Crypto
import Datasets
import Foundation
import MPI
import Networks

/// Where a command finds its images.
public struct DataPlace: Equatable, Sendable {
  /// The folder of the data set; nil for its usual place.
  public var folder: String?

  /// The folder of each member's own images, with `{member}` for its number; nil if members share one set.
  public var shardFolders: String?

  /// A place.
  public init(_ folder: String? = nil, shardFolders: String? = nil) {
    self.folder = folder
    self.shardFolders = shardFolders
  }

  /// The folder of a member's images.
  func shardFolder(_ template: String, _ member: Int) -> String {
    template.replacingOccurrences(of: "{member}", with: String(member))
  }
}

/// What a rank has of a run's images.
struct RunData {
  /// All training images, on every rank; nil where each member has its own.
  let training: Dataset?

  /// The test images; where members have their own training images, on rank 0 alone.
  let test: Dataset?

  /// By member, its images, on its rank alone; empty where all share ``training``.
  var shards: [Dataset?] = []

  /// How many images each member has, on every rank.
  var counts: [Int] = []

  /// How many images of each class each member has; on rank 0, if the shards were dealt out.
  var classCounts: [[Int]] = []

  /// Pixels an image, and classes.
  let features: Int
  let classes: Int
}

extension Job {
  /// Reads or deals out the data, and finds what it is.
  ///
  /// - Parameters:
  ///   - experiment: what the data is for.
  ///   - place: where it is.
  ///   - check: called on rank 0 with the data's fingerprint and a set of its form, before any image is sent.
  /// - Returns: what this rank has.
  /// - Throws: `JointFailure`, on every rank.
  func load(
    for experiment: Experiment, from place: DataPlace, check: (String, Dataset) throws -> Void
  ) throws -> RunData {
    try world.together {
      guard place.shardFolders == nil || experiment.shards?.rule == .folders else {
        throw UsageError(
          "--shard-data: the members of this run "
            + (experiment.shards == nil ? "share one set" : "have shards of one set")
            + "; leave it out")
      }
    }
    guard let sharding = experiment.shards else {
      let own = try onRoot { () throws -> DatasetPair in
        let pair = try experiment.dataset.load(from: place.folder)
        try check(DataFingerprint(pair).text, pair.training)
        _ = try ValidationSplit(
          pair.training, holdingOut: experiment.validation, seed: experiment.seed)
        return pair
      }
      let pair = try world.broadcast(own, phase: "broadcast data")
      return RunData(
        training: pair.training, test: pair.test, features: pair.training.features,
        classes: pair.training.classes)
    }
    let data =
      sharding.rule == .folders
      ? try readShards(of: experiment, from: place, check: check)
      : try dealShards(sharding, of: experiment, from: place, check: check)
    try world.together {
      for (member, count) in data.counts.enumerated() where count <= experiment.validation {
        throw UsageError(
          "--validation \(experiment.validation): shard \(member) has \(count) images; none would be left"
            + " to learn from")
      }
    }
    return data
  }

  // MARK: - Shards of one set

  /// Rank 0 reads the set, and sends each member's images to its rank.
  private func dealShards(
    _ sharding: Sharding, of experiment: Experiment, from place: DataPlace,
    check: (String, Dataset) throws -> Void
  ) throws -> RunData {
    let own = try onRoot { () throws -> (pair: DatasetPair, shards: Shards) in
      let pair = try experiment.dataset.load(from: place.folder)
      try check(DataFingerprint(pair).text, pair.training)
      return (
        pair,
        try Shards(
          pair.training, rule: sharding.rule, members: experiment.members, size: sharding.size,
          seed: experiment.seed)
      )
    }
    let phase = "deal out shards"
    var shape = own.map { $0.pair.training.shape.numbers + [$0.pair.training.classes] } ?? []
    try world.broadcast(&shape, from: 0, phase: phase)
    var counts = own.map { $0.shards.indices.map(\.count) } ?? []
    try world.broadcast(&counts, from: 0, phase: phase)
    var shards: [Dataset?] = []
    for member in 0..<experiment.members {
      let rank = worker(of: member, among: world.size)
      let name = "shard \(member) of \(experiment.dataset.rawValue)"
      let part = own.map { $0.pair.training.subset($0.shards.indices[member], named: name) }
      if rank == world.rank, let part {
        shards.append(part)
      } else if let part {
        try world.send(part.pixels, to: rank, phase: phase)
        try world.send(part.labels, to: rank, phase: phase)
        shards.append(nil)
      } else if rank == world.rank {
        let pixels = try world.receive(as: UInt8.self, from: 0, phase: phase)
        let labels = try world.receive(as: UInt8.self, from: 0, phase: phase)
        shards.append(
          try Dataset(
            name: name, pixels: pixels, labels: labels, shape: ImageShape(numbers: shape),
            classes: shape[3]))
      } else {
        shards.append(nil)
      }
    }
    let classCounts = own.map { own in
      own.shards.indices.map { indices in
        indices.reduce(into: [Int](repeating: 0, count: shape[3])) {
          $0[Int(own.pair.training.labels[$1])] += 1
        }
      }
    }
    return RunData(
      training: nil, test: own?.pair.test, shards: shards, counts: counts,
      classCounts: classCounts ?? [], features: ImageShape(numbers: shape).count, classes: shape[3])
  }

  // MARK: - Shards in folders

  /// Each rank reads the images of its members, which go nowhere.
  private func readShards(
    of experiment: Experiment, from place: DataPlace, check: (String, Dataset) throws -> Void
  ) throws -> RunData {
    let template = try world.together { () throws -> String in
      guard let template = place.shardFolders else {
        throw UsageError(
          "the members have images of their own: name their folders with --shard-data")
      }
      return template
    }
    let test = try onRoot { try experiment.dataset.loadTest(from: place.folder) }
    let numbers = 0..<experiment.members
    let own = try world.together { () throws -> [Dataset?] in
      try numbers.map { member in
        guard worker(of: member, among: world.size) == world.rank else { return nil }
        let folder = place.shardFolder(template, member)
        let shard = try experiment.dataset.loadTraining(from: folder)
        try Shards.requireSeveralClasses(shard.labels, folder, "the shard of member \(member)")
        return shard
      }
    }
    // What leaves a rank is how many images there are, of which size, and a digest.
    let phase = "agree on shards"
    let gathered = try world.allgatherV(
      own.compactMap { $0 }.flatMap { [$0.count] + $0.shape.numbers + [$0.classes] }, phase: phase)
    let digests = try world.allgatherV(
      own.compactMap { $0.map { Array(digest(of: $0)) } }.flatMap { $0 }, phase: phase)
    let all = numbers.map { member in
      let start = member / world.size * 5
      return Array(gathered[worker(of: member, among: world.size)][start..<start + 5])
    }
    try world.together {
      for (member, facts) in all.enumerated() where Array(facts[1...]) != Array(all[0][1...]) {
        throw DataError(
          place.shardFolder(template, member),
          "has images of \(ImageShape(numbers: Array(facts[1...]))), and"
            + " \(place.shardFolder(template, 0)) of \(ImageShape(numbers: Array(all[0][1...])));"
            + " members need images of one size")
      }
    }
    _ = try onRoot {
      guard let test, let shard = own[0] else { return }
      guard test.shape == shard.shape else {
        throw DataError(
          place.shardFolder(template, 0),
          "has images of \(shard.shape), and the test images are of \(test.shape)")
      }
      var hash = SHA256()
      hash.update(data: Data(digest(of: test)))
      for member in numbers {
        let start = member / world.size * SHA256.byteCount
        let own = digests[worker(of: member, among: world.size)]
        hash.update(data: Data(own[start..<start + SHA256.byteCount]))
      }
      try check(
        "\(all.map { String($0[0]) }.joined(separator: " + ")) and \(test.count) images of"
          + " \(test.shape), SHA-256 \(hexadecimal(hash.finalize()))", test)
    }
    return RunData(
      training: nil, test: test, shards: own, counts: all.map { $0[0] },
      features: ImageShape(numbers: Array(all[0][1...])).count, classes: all[0][4])
  }

  private func digest(of dataset: Dataset) -> SHA256.Digest {
    var hash = SHA256()
    dataset.pixels.withUnsafeBytes { hash.update(bufferPointer: $0) }
    dataset.labels.withUnsafeBytes { hash.update(bufferPointer: $0) }
    return hash.finalize()
  }
}
