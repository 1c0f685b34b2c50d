import ArgumentParser
import Datasets
import Experiments
import Foundation
import MPI
import Merging
import Networks
import Training

extension Architecture: ExpressibleByArgument {}
extension Normalization: ExpressibleByArgument {}
extension DatasetName: ExpressibleByArgument {}
extension Recipe: ExpressibleByArgument {}
extension LearningRateSchedule: ExpressibleByArgument {}
extension Combination: ExpressibleByArgument {}

/// The ways to merge a run's members unless others are asked for: the thesis' two, and the best there is.
private let defaultChains = [
  MergeChain(.naive), MergeChain(.permavg),
  MergeChain(.mergeMany, .unitWeights, .refitHead),
]

/// The way to merge checkpoints unless another is asked for: the best that needs no data.
private let defaultCheckpointChain = MergeChain(.mergeMany)

/// The recipe that the help quotes.
private let defaults = Recipe.default.experiment

/// Where the data is and how many threads may compute.
struct MachineOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Folder with the data set's four IDX files, plain or .gz. (default for fashion-mnist:"
        + " \(DatasetName.fashionMNIST.defaultFolder ?? ""), of the Debian package"
        + " dataset-fashion-mnist)", valueName: "dir"))
  var data: String?

  @Option(
    help:
      "Threads a rank may compute with; results do not depend on it. (default: the node's cores, shared out among the ranks that work)"
  )
  var threads: Int?
}

/// What the members are and how they are trained.
struct ExperimentOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Settings to start from; the options below change single ones. "
        + Recipe.allCases.reversed().map { "\($0.rawValue): \($0.summary)" }.joined(separator: "; ")
        + "."))
  var recipe = Recipe.default

  @Option(help: "Seed of all randomness. (default: \(defaults.seed))")
  var seed: UInt64?

  @Option(
    help: ArgumentHelp(
      "Widths from the input to the output, with ReLU between. (default: \(defaults.architecture))",
      valueName: "widths"))
  var architecture: Architecture?

  @Option(
    help:
      "Data set: \(DatasetName.allCases.map(\.rawValue).joined(separator: ", ")). (default: \(defaults.dataset.rawValue))"
  )
  var dataset: DatasetName?

  @Option(
    help: ArgumentHelp(
      "Inputs are (byte/255 - mean)/deviation. (default: \(defaults.normalization))",
      valueName: "mean,deviation"))
  var normalization: Normalization?

  @Option(
    help: ArgumentHelp(
      "Training images held out; accuracy on them is reported after each epoch."
        + " (default: \(defaults.validation))", valueName: "images"))
  var validation: Int?

  @Option(help: "Passes over the training images. (default: \(defaults.training.epochs))")
  var epochs: Int?

  @Option(
    help:
      "Images a step, for members and all that learns. (default: \(defaults.training.batchSize))")
  var batchSize: Int?

  @Option(help: "Base rate of SGD. (default: \(defaults.training.learningRate))")
  var learningRate: Float?

  @Option(
    help:
      "Schedule of the rate: constant, cosine (to zero over the run), thesis. (default: \(defaults.training.schedule.rawValue), thesis: thesis)"
  )
  var schedule: LearningRateSchedule?

  @Option(help: "Momentum of SGD. (default: \(defaults.training.momentum))")
  var momentum: Float?

  @Option(help: "Weight decay of SGD. (default: \(defaults.training.weightDecay))")
  var weightDecay: Float?

  @Flag(
    inversion: .prefixedNo,
    help: "Mirror training images with probability one half. (default: --flips)")
  var flips: Bool?

  /// The experiment that the options describe.
  var experiment: Experiment {
    var result = recipe.experiment
    seed.map { result.seed = $0 }
    architecture.map { result.architecture = $0 }
    dataset.map { result.dataset = $0 }
    normalization.map { result.normalization = $0 }
    validation.map { result.validation = $0 }
    epochs.map { result.training.epochs = $0 }
    batchSize.map { result.training.batchSize = $0 }
    learningRate.map { result.training.learningRate = $0 }
    schedule.map { result.training.schedule = $0 }
    momentum.map { result.training.momentum = $0 }
    weightDecay.map { result.training.weightDecay = $0 }
    flips.map { result.training.flips = $0 }
    return result
  }
}

/// How many members there are.
struct MemberOptions: ParsableArguments {
  @Option(help: "M, the number of networks in the ensemble. (default: \(defaults.members))")
  var members: Int?

  func apply(to experiment: inout Experiment) { members.map { experiment.members = $0 } }
}

/// Every merging method with its summary, a line each.
private let methodList = MergingMethod.families.map { family in
  let methods = family.methods.map { "  \($0.name): \($0.summary)" }
  return ([family.name] + methods).joined(separator: "\n")
}.joined(separator: "\n")

/// How members are merged.
struct MergingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A way to merge: one method, or several joined by commas, each starting from what those before"
        + " have come to. May be given more than once."
        + " (default: \(defaultChains.map(\.description).joined(separator: " and ")); for checkpoints:"
        + " \(defaultCheckpointChain))",
      discussion: methodList,
      valueName: "methods"), transform: { try MergeChain(parsing: $0) })
  var method: [MergeChain] = []

  /// The ways to merge that were asked for.
  var chains: [MergeChain] { method.isEmpty ? defaultChains : method }

  @OptionGroup var settings: MergeSettingsOptions

  func validate() throws {
    if let problem = unusedSettings(by: chains) { throw ValidationError(problem) }
  }

  func apply(to experiment: inout Experiment) { settings.apply(to: &experiment) }

  /// The one way to merge checkpoints.
  ///
  /// - Throws: `UsageError` if there are several, or settings for another.
  func checkpointChain() throws(UsageError) -> MergeChain {
    guard method.count <= 1 else {
      throw UsageError(
        "--method is given \(method.count) times; checkpoints are merged in one way, by methods joined"
          + " by commas")
    }
    let chain = method.first ?? defaultCheckpointChain
    if let problem = unusedSettings(by: [chain]) { throw UsageError(problem) }
    return chain
  }

  /// What is wrong if there are settings of methods that are not run.
  private func unusedSettings(by chains: [MergeChain]) -> String? {
    let isPermAVGRun = chains.contains { chain in
      chain.methods.contains { $0.name.hasPrefix(MergingMethod.permavg.name) }
    }
    return settings.isPermAVGSet && !isPermAVGRun
      ? "--permavg-…, --sinkhorn-…, --aligned-share, --final-temperature and --dirichlet are settings of"
        + " permavg, which --method leaves out" : nil
  }
}

/// The settings of merging methods.
struct MergeSettingsOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Starts of mergemany, of which the best is kept."
        + " (default: \(defaults.merging.matching.restarts))", valueName: "count"))
  var restarts: Int?

  @Option(
    help: ArgumentHelp(
      "Passes over the training images of permavg as the thesis has it."
        + " (default: \(defaults.merging.permAVG.epochs))", valueName: "epochs"))
  var permavgEpochs: Int?

  @Option(
    help: ArgumentHelp(
      "Passes over the training images of every other method that learns."
        + " (default: \(defaults.merging.learning.epochs))", valueName: "epochs"))
  var learningEpochs: Int?

  @Option(
    help: ArgumentHelp(
      "Adam's base rate on the permutations' logits. (default: \(defaults.merging.permAVG.learningRate))",
      valueName: "rate"))
  var permavgLearningRate: Float?

  @Option(
    help: ArgumentHelp(
      "Adam's base rate on each unit's weights of the members."
        + " (default: \(defaults.merging.unitWeights.learningRate))", valueName: "rate"))
  var unitLearningRate: Float?

  @Option(
    help: ArgumentHelp(
      "SGD's base rate in fine-tune. (default: \(defaults.merging.fineTuning.learningRate))",
      valueName: "rate"))
  var fineTuneLearningRate: Float?

  @Option(
    help: ArgumentHelp(
      "Divides the permutations' logits; smaller is sharper."
        + " (default: \(defaults.merging.permAVG.sinkhorn.temperature))", valueName: "temperature"))
  var sinkhornTemperature: Float?

  @Option(
    help: ArgumentHelp(
      "The temperature that permavg-labels, -ensemble and -both anneal to. (default: as at the start)",
      valueName: "temperature"))
  var finalTemperature: Float?

  @Option(
    help: ArgumentHelp(
      "How much of a unit permavg leaves in its place at first, after a method that lined members up."
        + " (default: \(defaults.merging.permAVG.alignedShare))", valueName: "share"))
  var alignedShare: Float?

  @Option(
    help: ArgumentHelp(
      "Draw the members' shares of each step of permavg-labels, -ensemble and -both from a Dirichlet"
        + " distribution of this concentration. (default: equal shares)", valueName: "concentration"
    ))
  var dirichlet: Float?

  @Option(
    help: ArgumentHelp(
      "The most row and column normalisations a step."
        + " (default: \(defaults.merging.permAVG.sinkhorn.iterations))", valueName: "iterations"))
  var sinkhornIterations: Int?

  /// Whether one of those that only permavg has is given.
  var isPermAVGSet: Bool {
    permavgEpochs != nil || permavgLearningRate != nil || sinkhornTemperature != nil
      || sinkhornIterations != nil || alignedShare != nil || finalTemperature != nil
      || dirichlet != nil
  }

  func apply(to experiment: inout Experiment) {
    var settings = experiment.merging
    restarts.map { settings.matching.restarts = $0 }
    permavgEpochs.map { settings.permAVG.epochs = $0 }
    if let learningEpochs {
      settings.learning.epochs = learningEpochs
      settings.unitWeights.epochs = learningEpochs
      settings.fineTuning.epochs = learningEpochs
    }
    unitLearningRate.map {
      settings.learning.unitLearningRate = $0
      settings.unitWeights.learningRate = $0
    }
    fineTuneLearningRate.map { settings.fineTuning.learningRate = $0 }
    finalTemperature.map { settings.learning.finalTemperature = $0 }
    dirichlet.map { settings.learning.dirichlet = $0 }
    for path in [\MergeSettings.permAVG, \MergeSettings.learning] {
      permavgLearningRate.map { settings[keyPath: path].learningRate = $0 }
      sinkhornTemperature.map { settings[keyPath: path].sinkhorn.temperature = $0 }
      sinkhornIterations.map { settings[keyPath: path].sinkhorn.iterations = $0 }
      alignedShare.map { settings[keyPath: path].alignedShare = $0 }
    }
    experiment.merging = settings
  }
}

/// How students are distilled.
struct DistillationOptions: ParsableArguments {
  @Option(help: "Networks to distil the ensemble into. (default: \(defaults.students))")
  var students: Int?

  @Option(
    help:
      "Weight of the teacher's soft targets, from 0 to 1; the labels have the rest. (default: \(defaults.distillation.alpha))"
  )
  var alpha: Float?

  @Option(help: "Temperature of the soft targets. (default: \(defaults.distillation.temperature))")
  var temperature: Float?

  @Option(
    help:
      "Soft targets from the members' mean logits or mean probabilities. (default: \(defaults.distillation.targets.rawValue))"
  )
  var targets: Combination?

  func apply(to experiment: inout Experiment) {
    if let students { experiment.students = students }
    if let alpha { experiment.distillation.alpha = alpha }
    if let temperature { experiment.distillation.temperature = temperature }
    if let targets { experiment.distillation.targets = targets }
  }
}
