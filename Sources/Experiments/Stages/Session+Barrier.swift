import Datasets
import Merging
import Networks
import Synchronization
import Tensors
import Training

extension Session {
  /// Loss and accuracy of weighted means of the members, as they are and as each method has lined them up.
  ///
  /// Both of a pair may be permuted, by methods that have no reference.
  ///
  /// - Parameters:
  ///   - members: all of them, by number.
  ///   - merged: the merged networks, whose alignments are looked at.
  ///   - progress: is told how many images are done.
  /// - Returns: the line between members 0 and 1 and the barriers, of each alignment; none of one member, nor of networks
  ///   in which more than one layer reads the input.
  /// - Throws: `CheckpointError` for a file of permutations that cannot be used.
  func barriers(
    of members: [Network], merged: [Predictor], _ progress: ProgressLine
  ) throws -> (lines: [Results.Line], barriers: [Results.Barrier]) {
    let graph = experiment.architecture
    guard members.count > 1 else { return ([], []) }
    if graph.hasImages { return try imageBarriers(of: members, merged: merged, progress) }
    guard graph.nodes.count == 1 || graph.firstNodeAndRest != nil, graph.nodes[0].layer is Dense
    else { return ([], []) }
    let plan = BarrierPlan(members: members.count, seed: experiment.seed)
    let alignments = try alignments(of: merged)
    let single = members.indices.map { member in
      members.indices.map { $0 == member ? 1.0 : 0 }
    }
    // What the members come to does not depend on the order of their units, so one alignment does it.
    var means = [AlignedMeans(members, weights: single + plan.weights)]
    let firstGroup = graph.symmetry.groupOfNode[0]
    for alignment in alignments.found {
      means.append(
        AlignedMeans(
          zip(members, alignment.permutations).map { $0.permuted(by: $1) },
          firstUnits: firstGroup.map { group in
            alignment.permutations.map { $0[group].indices }
          }, weights: plan.weights))
    }
    // Where members have their own images these are rank 0's, the first member's.
    let images = try (trainingImages() ?? trainingImages(ofMember: 0)).prefix(5000)
    let test = try testImages()
    let total = images.count + test.count
    let done = Mutex(0)
    func values(_ images: Images) -> [[Results.Value]] {
      lossAndAccuracy(of: means, from: members, on: images, threads: job.threads) { count in
        let now = done.withLock {
          $0 += count
          return $0
        }
        progress.update(now, of: total)
      }.map { $0.map { Results.Value(loss: $0.loss, accuracy: $0.accuracy) } }
    }
    var values = zip(values(images), values(test)).map {
      zip($0, $1).map { Results.Values(training: $0, test: $1) }
    }
    let ends = Array(values[0].prefix(members.count))
    values[0].removeFirst(members.count)

    var result: (lines: [Results.Line], barriers: [Results.Barrier]) = ([], [])
    for (name, place) in [(nil, 0)] + alignments.names.map({ ($0.name, $0.place + 1) }) {
      let (line, barrier) = plan.read(name, ends: ends, means: values[place])
      result.lines.append(line)
      result.barriers.append(barrier)
    }
    return result
  }

  /// As `barriers`, of convolutional members: each mean is built, given the batch normalisation statistics of training images, and
  /// run on as many images as take some minutes at most.
  private func imageBarriers(
    of members: [Network], merged: [Predictor], _ progress: ProgressLine
  ) throws -> (lines: [Results.Line], barriers: [Results.Barrier]) {
    let plan = BarrierPlan(members: members.count, seed: experiment.seed, steps: (12, 6))
    let alignments = try alignments(of: merged)
    let training = try (trainingImages() ?? trainingImages(ofMember: 0)).prefix(500)
    let test = try testImages().prefix(1000)
    let ends = members.indices.map { member in members.indices.map { $0 == member ? 1.0 : 0 } }
    let aligned =
      [members]
      + alignments.found.map { alignment in
        zip(members, alignment.permutations).map { $0.permuted(by: $1) }
      }
    let each = training.count + test.count
    let total = (ends.count + aligned.count * plan.weights.count) * each
    var done = 0
    func values(_ members: [Network], _ weights: [[Double]]) -> [Results.Values] {
      func scores(_ images: Images) -> [LossAndAccuracy] {
        lossAndAccuracy(
          ofMeans: weights, of: members, on: images, statisticsOf: training, threads: job.threads
        ) { count in
          done += count
          progress.update(done, of: total)
        }
      }
      return zip(scores(training), scores(test)).map {
        Results.Values(
          training: .init(loss: $0.loss, accuracy: $0.accuracy),
          test: .init(loss: $1.loss, accuracy: $1.accuracy))
      }
    }
    let endValues = values(members, ends)
    let means = aligned.map { values($0, plan.weights) }
    var result: (lines: [Results.Line], barriers: [Results.Barrier]) = ([], [])
    for (name, place) in [(nil, 0)] + alignments.names.map({ ($0.name, $0.place + 1) }) {
      let (line, barrier) = plan.read(name, ends: endValues, means: means[place])
      result.lines.append(line)
      result.barriers.append(barrier)
    }
    return result
  }

  /// The alignments that merging found, each once, and which chain found which.
  private func alignments(
    of merged: [Predictor]
  ) throws -> (found: [Alignment], names: [(name: String?, place: Int)]) {
    var found: [Alignment] = []
    var names: [(name: String?, place: Int)] = []
    for case .merged(let chain, isHard: false) in merged {
      guard let own = try folder.readAlignment(of: chain, for: experiment) else { continue }
      // A method that corrects the merged network leaves the members as another lined them up.
      let place = found.firstIndex(of: own) ?? found.count
      if place == found.count { found.append(own) }
      names.append((chain.name, place))
    }
    return (found, names)
  }
}
