import Datasets
import Merging
import Networks
import Training

/// A named set of settings to start from; options of the command line change single ones.
public enum Recipe: String, Codable, Sendable, CaseIterable {
  /// The thesis' settings with its schedule mended: rates anneal to zero over the whole run.
  case `default`

  /// The master's thesis that PermAVG comes from, its schedule included.
  case thesis

  /// One line about the recipe.
  public var summary: String {
    switch self {
    case .default: "the same with rates that anneal to zero over the whole run"
    case .thesis: "the master's thesis, with its schedule that swings every 40 batches"
    }
  }

  /// The experiment with every setting of the recipe.
  public var experiment: Experiment {
    let schedule: LearningRateSchedule = self == .thesis ? .thesis : .cosine
    var merging = MergeSettings.standard
    merging.permAVG.schedule = schedule
    return Experiment(
      recipe: rawValue,
      seed: 1,
      members: 3,
      architecture: .fashionPerceptron,
      dataset: .fashionMNIST,
      normalization: .symmetric,
      validation: 0,
      training: TrainingSettings(
        epochs: 20, batchSize: 512, learningRate: 0.1, schedule: schedule, momentum: 0.9,
        weightDecay: 1e-5, flips: true),
      merging: merging,
      students: 1,
      distillation: DistillationSettings(alpha: 0.5, temperature: 3, targets: .logits))
  }
}

extension Architecture {
  /// The thesis' network, 784-512-10.
  fileprivate static var fashionPerceptron: Architecture {
    guard let architecture = Architecture("784-512-10") else { preconditionFailure() }
    return architecture
  }
}

/// The thesis' own test accuracies on Fashion-MNIST at M = 3, in percent, to set beside ours.
enum ThesisFigures {
  static func accuracy(of row: Results.Row) -> String? {
    switch row.name {
    case "member 0": "87.97"
    case "member 1": "84.28"
    case "member 2": "87.30"
    case "naive": "76.06"
    case "ensemble, mean logits": "88.54"
    case "permavg": "88.87"
    case "student 0": "88.81"
    default: nil
    }
  }
}

extension Experiment {
  /// Whether the thesis reports figures for this very experiment.
  var isThesis: Bool {
    var thesis = Recipe.thesis.experiment
    thesis.seed = seed
    return self == thesis
  }
}
