import Datasets
import Merging
import Networks
import Synchronization
import Training

extension Session {
  /// Loss and accuracy of weighted means of the members, as they are and as each method has lined them up.
  ///
  /// Both of a pair may be permuted, by methods that have no reference.
  ///
  /// - Parameters:
  ///   - members: all of them, by number.
  ///   - progress: is told how many images are done.
  /// - Returns: the line between members 0 and 1 and the barriers, of each alignment; none of one member.
  /// - Throws: `CheckpointError` for a file of permutations that cannot be used.
  func barriers(
    of members: [Network], _ progress: ProgressLine
  ) throws -> (lines: [Results.Line], barriers: [Results.Barrier]) {
    guard members.count > 1 else { return ([], []) }
    let plan = BarrierPlan(members: members.count, seed: experiment.seed)
    let alignments = try alignments()
    let single = members.indices.map { member in
      members.indices.map { $0 == member ? 1.0 : 0 }
    }
    // What the members come to does not depend on the order of their units, so one alignment does it.
    var means = [AlignedMeans(members, weights: single + plan.weights)]
    for permutations in alignments.permutations {
      means.append(
        AlignedMeans(
          zip(members, permutations).map { $0.permuted(by: $1) },
          firstUnits: permutations.map { $0[0].indices }, weights: plan.weights))
    }
    let data = try data()
    let images = Array(try validationSplit().training.prefix(5000))
    let total = images.count + data.test.count
    let done = Mutex(0)
    func values(_ dataset: Dataset, _ images: [Int]?) -> [[Results.Value]] {
      lossAndAccuracy(
        of: means, from: members, on: dataset, images: images,
        normalization: experiment.normalization, threads: threads
      ) { count in
        let now = done.withLock {
          $0 += count
          return $0
        }
        progress.update(now, of: total)
      }.map { $0.map { Results.Value(loss: $0.loss, accuracy: $0.accuracy) } }
    }
    var values = zip(values(data.training, images), values(data.test, nil)).map {
      zip($0, $1).map { Results.Values(training: $0, test: $1) }
    }
    let ends = Array(values[0].prefix(members.count))
    values[0].removeFirst(members.count)

    var result: (lines: [Results.Line], barriers: [Results.Barrier]) = ([], [])
    for (name, place) in [("naive", 0)] + alignments.names.map({ ($0.name, $0.place + 1) }) {
      let (line, barrier) = plan.read(name, ends: ends, means: values[place])
      result.lines.append(line)
      result.barriers.append(barrier)
    }
    return result
  }

  /// The permutations that merging found, each once, and which chain found which.
  private func alignments() throws -> (
    permutations: [[[Permutation]]], names: [(name: String, place: Int)]
  ) {
    var permutations: [[[Permutation]]] = []
    var names: [(name: String, place: Int)] = []
    for name in folder.mergedNames() {
      guard let found = try folder.readPermutations(method: name, for: experiment) else {
        continue
      }
      // A method that corrects the merged network leaves the permutations as another found them.
      let place = permutations.firstIndex(of: found) ?? permutations.count
      if place == permutations.count { permutations.append(found) }
      names.append((name, place))
    }
    return (permutations, names)
  }
}
