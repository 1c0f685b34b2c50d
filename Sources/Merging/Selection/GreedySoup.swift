import Networks
import Tensors

extension MergeMethod {
  public static let greedySoup = MergeMethod(
    "greedy-soup",
    "the mean of those members that do not lower its held-out accuracy, best first; needs --validation",
    needs: .heldOutImages
  ) { _ in GreedySoup() }
}

/// A greedy soup of the members as they are lined up (Wortsman and others 2022).
///
/// Takes the members from the best on held-out images to the worst, and keeps each in the mean if the mean's held-out
/// accuracy does not fall. So the soup is never worse there than the best member. Members that were not
/// lined up before have no good mean, and the soup is the best of them alone.
public struct GreedySoup: MergeStep {
  /// The method.
  public init() {}

  public func apply(to state: inout MergeState, with resources: MergeResources) throws {
    guard let validate = resources.validate else {
      throw MergeError(
        "greedy-soup chooses on held-out images, and there are none; train with --validation")
    }
    let members = state.alignedMembers
    let steps = 2 * members.count - 1
    let accuracies = try members.enumerated().map { number, member in
      let accuracy = try validate(member)
      resources.onStep(number + 1, steps)
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
        state.graph, parameters: mean(of: next.map { members[$0].parameters }),
        buffers: mean(of: next.map { members[$0].buffers }))
      let accuracy = try validate(mean)
      if accuracy >= best { (chosen, soup, best) = (next, mean, accuracy) }
      resources.onStep(members.count + place, steps)
    }
    state.replaceNetwork(by: soup)
  }
}
