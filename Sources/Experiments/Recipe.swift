import Datasets
import Merging
import Networks
import Tensors
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
    case .default:
      "the same with rates that anneal to zero over the whole run, and bounded gradients of students"
    case .thesis: "the master's thesis, with its schedule that swings every 40 batches"
    }
  }

  /// The experiment with every setting of the recipe.
  public var experiment: Experiment {
    let schedule: LearningRateSchedule = self == .thesis ? .thesis : .cosine
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
      students: 1,
      distillation: DistillationSettings(
        alpha: 0.5, temperature: 3, targets: .logits,
        maximumGradientNorm: self == .thesis ? nil : 1))
  }
}

extension Graph {
  /// The thesis' network, 784-512-10.
  fileprivate static var fashionPerceptron: Graph {
    guard let graph = Graph("784-512-10") else { preconditionFailure("784-512-10 is a graph") }
    return graph
  }
}

extension Recipe {
  /// The ways to merge a run's members unless others are asked for: the thesis' two, and the best there is that the network allows.
  public func chains(for graph: Graph) -> [MethodChain] {
    guard graph.hasImages else { return chains }
    return graph.nodes.contains { $0.layer is BatchNorm }
      ? [
        MethodChain(.naive, .reset), MethodChain(.weightMatching, .reset),
        MethodChain(.activationMatching, .leastSquares),
      ]
      : [
        MethodChain(.naive), MethodChain(.weightMatching, .repair),
        MethodChain(.activationMatching, .leastSquares),
      ]
  }

  /// Those of perceptrons.
  public var chains: [MethodChain] {
    let permavg = MethodChain(.permavg)
    return [
      MethodChain(.naive),
      self == .thesis
        ? (try? permavg.settingDefault("schedule", to: "thesis")) ?? permavg : permavg,
      MethodChain(.mergeMany, .unitWeights, .refitHead),
    ]
  }
}
