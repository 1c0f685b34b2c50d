import Experiments
import Merging

/// The thesis' own test accuracies on Fashion-MNIST at M = 3, in percent, to set beside ours.
enum ThesisFigures {
  static func accuracy(of row: Results.Row) -> String? {
    switch row.predictor {
    case .member(0): "87.97"
    case .member(1): "84.28"
    case .member(2): "87.30"
    case .ensemble(.logits): "88.54"
    case .student(0): "88.81"
    case .merged(let chain, isHard: false):
      switch chain.links.map(\.method.name) {
      case ["naive"]: "76.06"
      case ["permavg"]: "88.87"
      default: nil
      }
    default: nil
    }
  }
}

extension Experiment {
  /// Whether the thesis reports figures for this very experiment.
  var isThesis: Bool {
    var thesis = Recipe.thesis.experiment
    (thesis.seed, thesis.data) = (seed, data)
    return self == thesis
  }
}
