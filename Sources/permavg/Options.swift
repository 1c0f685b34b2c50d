import ArgumentParser
import Datasets
import Experiments
import Foundation
import MPI
import Merging
import Networks
import Training

extension Normalization: ExpressibleByArgument {}
extension DatasetName: ExpressibleByArgument {}
extension Recipe: ExpressibleByArgument {}
extension LearningRateSchedule: ExpressibleByArgument {}
extension Combination: ExpressibleByArgument {}

/// The way to merge checkpoints unless another is asked for: the best that needs no data.
private let defaultCheckpointChain = MethodChain(.mergeMany)

/// The recipe that the help quotes.
private let defaults = Recipe.default.experiment

/// Where the data is and how many threads may compute.
struct MachineOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Folder with the data set's files: four IDX files, plain or .gz, or CIFAR's .bin. (default for fashion-mnist:"
        + " \(DatasetName.fashionMNIST.defaultFolder ?? ""), of the Debian package"
        + " dataset-fashion-mnist)", valueName: "dir"))
  var data: String?

  @Option(
    help: ArgumentHelp(
      "Folder of each member's own training images, with {member} for its number from 0: the files of training images, read"
        + " by the rank that trains the member and sent to none. Test images come from --data.",
      valueName: "dir"))
  var shardData: String?

  /// Where the images are.
  var place: DataPlace { DataPlace(data, shardFolders: shardData) }

  /// Checks that checkpoints from elsewhere are not given members' own data.
  ///
  /// - Throws: `UsageError`
  func requireNoShards() throws {
    guard let shardData else { return }
    throw UsageError(
      "--shard-data \(shardData): is for runs whose members have images of their own; name checkpoints' data"
        + " with --data")
  }

  /// Says in an experiment if members have folders of their own.
  ///
  /// - Throws: `UsageError` if the data is to be split as well.
  func apply(to experiment: inout Experiment) throws {
    guard let shardData else { return }
    guard experiment.shards == nil else {
      throw UsageError(
        "--shards splits one data set, and --shard-data names a folder a member: give one of them")
    }
    guard shardData.contains("{member}") else {
      throw UsageError(
        "--shard-data \(shardData): expected {member} in it, which stands for the member's number")
    }
    experiment.shards = Sharding(.folders)
  }

  @Option(
    help:
      "Threads a rank may compute with; results do not depend on it. (default: the node's cores, shared out among the ranks that work)"
  )
  var threads: Int?
}

/// The graph that an argument names: a family's text, or a file of JSON.
func graph(_ argument: String) throws -> Graph {
  var text = argument
  if argument.hasSuffix(".json") {
    do {
      text = try String(contentsOfFile: argument, encoding: .utf8)
    } catch {
      throw ValidationError("\(argument): could not be read: \(error.localizedDescription)")
    }
  }
  do {
    guard argument == text else { return try GraphDescription(json: text).graph() }
    return try Graph(parsing: text)
  } catch {
    throw ValidationError(argument == text ? "\(error)" : "\(argument): \(error)")
  }
}

/// Every exchange with its summary and its settings.
private let exchangeList = ExchangeMethod.all.map { method in
  let settings = method.settings.map {
    "    \($0.name)=\($0.defaultText): \($0.help) (\($0.range))"
  }
  return (["\(method.name): \(method.summary)"] + settings).joined(separator: "\n")
}.joined(separator: "\n")

/// The exchange that an argument names.
///
/// - Throws: `ValidationError` that names the option.
func coupling(_ argument: String, of option: String) throws -> Coupling {
  do {
    return try Coupling(parsing: argument)
  } catch {
    throw ValidationError("\(option) \(argument): \(error)")
  }
}

/// The rule that an argument names.
private func shardRule(_ argument: String) throws -> ShardRule {
  guard let rule = ShardRule(argument) else {
    throw ValidationError(
      "--shards \(argument): \(ShardRule.problem(with: argument))")
  }
  return rule
}

/// How inputs are made: as told, or as the training images ask for.
enum NormalizationOption: ExpressibleByArgument, Equatable {
  case fixed(Normalization)
  case data

  init?(argument: String) {
    if argument == "data" {
      self = .data
    } else if let normalization = Normalization(argument) {
      self = .fixed(normalization)
    } else {
      return nil
    }
  }
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
      "The network: "
        + Family.all.reversed().map { "\($0.syntax): \($0.summary)" }.joined(separator: "; ")
        + "; or a JSON file of layers. (default: \(defaults.architecture))", valueName: "network"),
    transform: graph)
  var architecture: Graph?

  @Option(
    help:
      "Data set: \(DatasetName.allCases.map(\.rawValue).joined(separator: ", ")). (default: \(defaults.dataset.rawValue))"
  )
  var dataset: DatasetName?

  @Option(
    help: ArgumentHelp(
      "Inputs are (byte/255 - mean)/deviation, or \"data\" for the training images' own mean and deviation; of"
        + " shards by sums. (default: \(defaults.normalization))",
      valueName: "mean,deviation"))
  var normalization: NormalizationOption?

  @Option(
    help: ArgumentHelp(
      "Training images held out; accuracy on them is reported after each epoch."
        + " (default: \(defaults.validation))", valueName: "images"))
  var validation: Int?

  @Option(
    help: ArgumentHelp(
      "What members tell each other while they train, with settings as in \"fedavg(every=2e)\".",
      discussion: exchangeList, valueName: "exchange"),
    transform: { try coupling($0, of: "--exchange") })
  var exchange: Coupling?

  @Option(
    help: ArgumentHelp(
      "Split the training images among the members, who then share none: iid, dirichlet:A (classes by shares"
        + " drawn with concentration A), classes:K (K classes each), sizes:A (unequal sizes). A member needs"
        + " images of two classes at least; see also --shard-data.", valueName: "rule"),
    transform: shardRule)
  var shards: ShardRule?

  @Option(
    help: ArgumentHelp(
      "Training images of a member. (default: all, shared out; needs --shards)", valueName: "images"
    ))
  var shardSize: Int?

  @Option(help: "Passes over the training images. (default: \(defaults.training.epochs))")
  var epochs: Int?

  @Option(
    help:
      "Images a step, for members and all that learns. (default: \(defaults.training.batchSize))")
  var batchSize: Int?

  @Option(
    help:
      "Base rate of SGD. (default: \(defaults.training.learningRate), residual perceptrons: \(Family.residual.learningRate ?? 0))"
  )
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

  func validate() throws {
    if shardSize != nil, shards == nil {
      throw ValidationError("--shard-size says how large shards are, and needs --shards")
    }
    if shards == .folders {
      throw ValidationError("--shards folders: name the members' folders with --shard-data")
    }
  }

  /// The experiment that the options describe.
  var experiment: Experiment {
    var result = recipe.experiment
    seed.map { result.seed = $0 }
    let set = dataset ?? result.dataset
    if architecture == nil, let own = Graph("\(set.shape.count)-512-\(set.classes)") {
      result.architecture = own
    }
    if let architecture {
      result.architecture = architecture.ofUsualImages(
        resizedTo: set.shape.numbers, classes: set.classes)
      architecture.family?.learningRate.map { result.training.learningRate = $0 }
    }
    dataset.map { result.dataset = $0 }
    if case .fixed(let fixed) = normalization { result.normalization = fixed }
    validation.map { result.validation = $0 }
    exchange.map { result.exchange = $0 }
    if let shards { result.shards = Sharding(shards, size: shardSize) }
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

/// Every merging method with its summary and its settings.
private let methodList = MethodCatalog.standard.families.map { family in
  let methods = family.methods.map { method in
    let settings = method.settings.map {
      "      \($0.name)=\($0.defaultText): \($0.help) (\($0.range))"
    }
    return (["  \(method.name): \(method.summary)"] + settings).joined(separator: "\n")
  }
  return ([family.name] + methods).joined(separator: "\n")
}.joined(separator: "\n")

/// How members are merged.
struct MergingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A way to merge: one method, or several joined by commas, each starting from what those before"
        + " have come to; with settings as in \"mergemany(restarts=9),unit-weights(epochs=3)\"."
        + " May be given more than once. (default: "
        + Recipe.default.chains.map(\.description).joined(separator: " and ") + "; for checkpoints:"
        + " \(defaultCheckpointChain))",
      discussion: methodList,
      valueName: "methods"), transform: { try MethodChain(parsing: $0) })
  var method: [MethodChain] = []

  @OptionGroup var settings: SettingOptions

  /// The ways to merge members of a graph that were asked for, or a recipe's.
  ///
  /// - Throws: `UsageError` if a method cannot take such networks, or a setting is of no use.
  func chains(_ recipe: Recipe, for graph: Graph) throws -> [MethodChain] {
    let chains = method.isEmpty ? recipe.chains(for: graph) : method
    for chain in chains {
      if let problem = chain.problem(for: graph) {
        throw UsageError("--method \(chain): \(problem)")
      }
    }
    try settings.requireUse(in: chains)
    return try chains.map(settings.apply)
  }

  /// The one way to merge checkpoints.
  ///
  /// - Throws: `UsageError` if there are several.
  func checkpointChain() throws -> MethodChain {
    guard method.count <= 1 else {
      throw UsageError(
        "--method is given \(method.count) times; checkpoints are merged in one way, by methods joined"
          + " by commas")
    }
    let chain = method.first ?? defaultCheckpointChain
    try settings.requireUse(in: [chain])
    return try settings.apply(to: chain)
  }
}

/// Settings for all methods that have them, where a chain does not say.
struct SettingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The setting epochs of every method that has it, but of permavg itself, where --method does not say.",
      valueName: "epochs"))
  var learningEpochs: Int?

  @Option(
    help: ArgumentHelp(
      "The setting epochs of permavg, where --method does not say.", valueName: "epochs"))
  var permavgEpochs: Int?

  /// Checks that no setting is given for methods that are not run.
  ///
  /// - Throws: `UsageError` naming the option.
  func requireUse(in chains: [MethodChain]) throws {
    let methods = chains.flatMap(\.links).map(\.method)
      .filter { $0.settings.contains { $0.name == "epochs" } }
    let permavg = MergeMethod.permavg.name
    for (option, value, isUsed) in [
      ("learning", learningEpochs, methods.contains { $0.name != permavg }),
      ("permavg", permavgEpochs, methods.contains { $0.name == permavg }),
    ] where value != nil && !isUsed {
      throw UsageError("--\(option)-epochs: no method that --method names has this setting")
    }
  }

  /// A chain with these settings wherever they are meant and not given.
  ///
  /// - Throws: `MergeError` if one is out of range.
  func apply(to chain: MethodChain) throws -> MethodChain {
    var result = chain
    let permavg = MergeMethod.permavg.name
    if let learningEpochs {
      result = try result.settingDefault("epochs", to: "\(learningEpochs)") { $0.name != permavg }
    }
    if let permavgEpochs {
      result = try result.settingDefault("epochs", to: "\(permavgEpochs)") { $0.name == permavg }
    }
    return result
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

  @Option(
    help:
      "Temperature of the soft targets of students. (default: \(defaults.distillation.temperature))"
  )
  var temperature: Float?

  @Option(
    help:
      "Soft targets from the members' mean logits or mean probabilities. (default: \(defaults.distillation.targets.rawValue))"
  )
  var targets: Combination?

  @Option(
    help: ArgumentHelp(
      "Longer gradients of students are scaled down to this norm; 0 for none. (default:"
        + " \(defaults.distillation.maximumGradientNorm ?? 0), thesis: 0)", valueName: "norm"))
  var maxGradientNorm: Float?

  func apply(to experiment: inout Experiment) {
    if let maxGradientNorm {
      experiment.distillation.maximumGradientNorm = maxGradientNorm == 0 ? nil : maxGradientNorm
    }
    if let students { experiment.students = students }
    if let alpha { experiment.distillation.alpha = alpha }
    if let temperature { experiment.distillation.temperature = temperature }
    if let targets { experiment.distillation.targets = targets }
  }
}
