import Datasets
import Networks

/// An ensemble that a student learns from.
public struct Teacher: Sendable {
  public let members: [Network]
  public let normalization: Normalization
  public let combination: Combination

  /// The temperature of the targets.
  public let temperature: Float

  /// A teacher.
  public init(
    members: [Network], normalization: Normalization, combination: Combination,
    temperature: Float
  ) {
    precondition(!members.isEmpty, "a teacher of no members")
    self.members = members
    self.normalization = normalization
    self.combination = combination
    self.temperature = temperature
  }

  /// How many chunks a set's targets are computed in.
  public static func chunkCount(_ dataset: Dataset) -> Int {
    (dataset.count + evaluationChunk - 1) / evaluationChunk
  }

  /// The soft targets of all images of a set, on up to `threads` threads.
  public func targets(of dataset: Dataset, threads: Int) -> SoftTargets {
    let chunks = concurrentMap(Self.chunkCount(dataset), threads: threads) {
      targets(forChunk: $0, of: dataset)
    }
    return SoftTargets(
      classes: members[0].architecture.outputs, values: Array(chunks.joined()))
  }

  /// The soft targets of one chunk of images, for each image as it is and mirrored.
  ///
  /// Mean logits: softmax(mean_m z_m / T). Mean probabilities: mean_m softmax(z_m / T).
  ///
  /// - Parameters:
  ///   - chunk: which chunk, below ``chunkCount(_:)``.
  ///   - dataset: the images.
  /// - Returns: images × 2 views × classes probabilities, as ``SoftTargets`` holds them.
  public func targets(forChunk chunk: Int, of dataset: Dataset) -> [Float] {
    let classes = members[0].architecture.outputs
    let start = chunk * evaluationChunk
    let images = Array(start..<min(start + evaluationChunk, dataset.count))
    let views = [false, true].map { isFlipped in
      let perMember = members.map {
        let z = logits(
          of: $0, on: dataset, images: images, normalization: normalization,
          isFlipped: isFlipped)
        return combination == .logits
          ? z : softmax(z, classes: classes, temperature: temperature)
      }
      let combined = mean(of: perMember)
      return combination == .logits
        ? softmax(combined, classes: classes, temperature: temperature) : combined
    }
    return images.indices.flatMap { i in
      views.flatMap { $0[i * classes..<(i + 1) * classes] }
    }
  }
}
