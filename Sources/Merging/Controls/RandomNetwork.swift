import Networks
import Tensors

extension MergeMethod {
  public static let randomNetwork = MergeMethod(
    "random-network",
    "a control: a network as it is before training, of no member; what follows learns alone",
    isControl: true
  ) { _ in RandomNetwork() }
}

/// A new network in the members' place.
///
/// `random-network,fine-tune(epochs=20)` is training on all data, which members that share none are held against, and
/// `random-network,refit-head-labels` is a head over random units.
public struct RandomNetwork: MergeStep {
  /// The control.
  public init() {}

  public func apply(to state: inout MergeState, with resources: MergeResources) {
    state.replaceNetwork(
      by: Network(state.graph, random: RandomStream(seed: resources.seed, "random network")))
  }
}
