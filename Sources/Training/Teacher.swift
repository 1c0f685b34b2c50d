import Datasets
import Networks
import Tensors

/// An ensemble that a student learns from.
public struct Teacher: Sendable {
  public let members: [Network]
  public let combination: Combination

  /// The temperature of the targets.
  public let temperature: Float

  /// A teacher.
  public init(members: [Network], combination: Combination, temperature: Float) {
    precondition(!members.isEmpty, "a teacher of no members")
    self.members = members
    self.combination = combination
    self.temperature = temperature
  }

  /// The soft targets of images, computed by a team in fixed chunks.
  ///
  /// - Parameters:
  ///   - images: all images of a set.
  ///   - team: who computes.
  ///   - phase: what the messages are for.
  /// - Returns: targets of every image, on every worker.
  /// - Throws: what the team's messages throw.
  public func targets(
    of images: Images, with team: any Team, phase: String
  ) throws -> SoftTargets {
    let chunks = images.chunks
    let parts = try team.map(chunks.count, phase: phase) {
      targets(of: images, in: chunks[$0])
    }
    return SoftTargets(classes: members[0].graph.outputs, values: Array(parts.joined()))
  }

  /// The soft targets of the shards that this worker has; nothing is sent.
  ///
  /// - Parameters:
  ///   - shards: members' own images.
  ///   - threads: how many threads compute.
  /// - Returns: by member, targets of its images' whole set; nil for shards of other workers.
  /// - Throws: nothing; a team of threads has no messages.
  public func targets(of shards: ShardedImages, threads: Int) throws -> [SoftTargets?] {
    try shards.shards.map { shard in
      try shard.map {
        let all = Images($0.dataset, normalization: $0.normalization)
        return try targets(
          of: all, with: ThreadTeam(threads: threads), phase: "gather soft targets")
      }
    }
  }

  /// The soft targets of some images, for each image as it is and mirrored.
  ///
  /// Mean logits: softmax(mean_m z_m / T). Mean probabilities: mean_m softmax(z_m / T).
  ///
  /// - Returns: images × 2 views × classes probabilities, as ``SoftTargets`` holds them.
  private func targets(of images: Images, in chunk: Range<Int>) -> [Float] {
    let classes = members[0].graph.outputs
    let part = Images(
      images.dataset, indices: Array(images.indices[chunk]), normalization: images.normalization)
    let views = [false, true].map { isFlipped in
      let perMember = members.map {
        let z = logits(of: $0, on: part, isFlipped: isFlipped)
        return combination == .logits
          ? z : softmax(z, classes: classes, temperature: temperature)
      }
      let combined = mean(of: perMember)
      return combination == .logits
        ? softmax(combined, classes: classes, temperature: temperature) : combined
    }
    return chunk.indices.flatMap { i in
      let row = i - chunk.lowerBound
      return views.flatMap { $0[row * classes..<(row + 1) * classes] }
    }
  }
}
