import Networks

extension MergingMethod {
  public static let greedySoup = MergingMethod(
    name: "greedy-soup",
    summary: "the mean of those members that do not lower its held-out accuracy, best first"
  ) { _ in GreedySoup() }

  public static let bestMember = MergingMethod(
    name: "best-member",
    summary: "a control: the one member that is best on held-out images, or on training data",
    needsData: true
  ) { _ in BestMember() }
}

/// A greedy soup of the members as they are lined up (Wortsman and others 2022).
///
/// Takes the members from the best on held-out images to the worst, and keeps each in the mean if the mean's held-out
/// accuracy does not fall. So the soup is never worse there than the best member. Members that were not
/// lined up before have no good mean, and the soup is the best of them alone.
public struct GreedySoup: Merger {
  /// The method.
  public init() {}

  public func apply(to merge: inout Merge, in context: MergeContext) throws {
    guard let validate = context.validate else {
      throw MergeError(
        "greedy-soup chooses on held-out images, and there are none; train with --validation")
    }
    let members = merge.alignedMembers
    let steps = 2 * members.count - 1
    let accuracies = members.enumerated().map { number, member in
      let accuracy = validate(member)
      context.onStep(number + 1, steps)
      return accuracy
    }
    let order = members.indices.sorted { (accuracies[$0], $1) > (accuracies[$1], $0) }
    var chosen = [order[0]]
    var soup = members[order[0]]
    var best = accuracies[order[0]]
    for (place, member) in order.enumerated().dropFirst() {
      // By number, so that the bits do not depend on the order of taking them.
      let next = (chosen + [member]).sorted()
      let mean = Network(
        merge.architecture, parameters: mean(of: next.map { members[$0].parameters }))
      let accuracy = validate(mean)
      if accuracy >= best { (chosen, soup, best) = (next, mean, accuracy) }
      context.onStep(members.count + place, steps)
    }
    merge.replaceNetwork(by: soup)
  }
}

/// The best member, as it is lined up: what a merge has to beat to be worth anything.
///
/// Best by accuracy on held-out images; without any, by the mean cross entropy over an epoch of training data.
public struct BestMember: Merger {
  /// The control.
  public init() {}

  public func apply(to merge: inout Merge, in context: MergeContext) throws {
    let members = merge.alignedMembers
    let scores = try scores(members, context)
    // The first of equals.
    let best = members.indices.reduce(0) { scores[$1] > scores[$0] ? $1 : $0 }
    merge.replaceNetwork(by: members[best])
  }

  /// The larger the better.
  private func scores(_ members: [Network], _ context: MergeContext) throws -> [Double] {
    if let validate = context.validate { return members.map(validate) }
    guard let batches = context.batches else {
      throw MergeError("best-member needs held-out images or training data, and there is neither")
    }
    var losses = [Double](repeating: 0, count: members.count)
    batches.forFirstSamples(batches.sampleCount) { batch in
      let values = concurrentMap(members.count, threads: context.threads) { number in
        var workspace = Workspace(members[number].architecture, capacity: batch.count)
        members[number].forward(batch.inputs, rows: batch.count, workspace: &workspace)
        return CrossEntropy().evaluate(batch, workspace: &workspace).loss
      }
      for (number, value) in values.enumerated() { losses[number] += value * Double(batch.count) }
    }
    return losses.map { -$0 }
  }
}
