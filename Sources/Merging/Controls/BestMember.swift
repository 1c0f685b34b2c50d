import Networks
import Tensors

extension MergeMethod {
  public static let bestMember = MergeMethod(
    "best-member", "a control: the one member that is best on held-out images, or on training data",
    needs: .trainingData, isControl: true
  ) { _ in BestMember() }
}

/// The best member, as it is lined up: what a merge has to beat to be worth anything.
///
/// Best by accuracy on held-out images; without any, by the mean cross entropy over an epoch of training data.
public struct BestMember: MergeStep {
  /// The control.
  public init() {}

  public func apply(to state: inout MergeState, with resources: MergeResources) throws {
    let members = state.alignedMembers
    let scores = try scores(members, resources)
    // The first of equals.
    let best = members.indices.reduce(0) { scores[$1] > scores[$0] ? $1 : $0 }
    state.replaceNetwork(by: members[best])
  }

  /// The larger the better.
  private func scores(_ members: [Network], _ resources: MergeResources) throws -> [Double] {
    if let validate = resources.validate { return try members.map(validate) }
    if resources.isSharded {
      return try resources.sums(for: "best-member").sum(of: members.count) { part -> [Double] in
        members.map { -$0.totalLoss(on: part) }
      }
    }
    guard let batches = resources.batches else {
      throw MergeError("best-member needs held-out images or training data, and there is neither")
    }
    var losses = [Double](repeating: 0, count: members.count)
    batches.forFirstSamples(batches.sampleCount) { batch in
      let values = concurrentMap(members.count, threads: resources.threads) { number in
        var workspace = Workspace(members[number].graph, capacity: batch.count)
        members[number].forward(batch.inputs, rows: batch.count, workspace: &workspace)
        return CrossEntropy().evaluate(batch, workspace: &workspace).loss
      }
      for (number, value) in values.enumerated() { losses[number] += value * Double(batch.count) }
    }
    return losses.map { -$0 }
  }
}
