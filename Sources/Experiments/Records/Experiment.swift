import Datasets
import Foundation
import Merging
import Networks
import Tensors
import Training

/// How training images are split among members that share none.
public struct Sharding: Codable, Equatable, Sendable {
  public var rule: ShardRule

  /// How many images a member has; nil for its share of all.
  public var size: Int?

  /// A split.
  public init(_ rule: ShardRule, size: Int? = nil) {
    self.rule = rule
    self.size = size
  }
}

/// Everything that decides the numbers of a run: `experiment.json` of a run folder.
///
/// Two runs of equal experiments give the same bytes, on any number of ranks.
public struct Experiment: Codable, Equatable, Sendable {
  /// The version of this file's form that this program reads and writes.
  static let currentVersion = 2

  /// The version of this file's form.
  public var version = currentVersion

  /// The recipe the settings started from, by name.
  public var recipe: String
  public var seed: UInt64

  /// M, how many networks the ensemble has.
  public var members: Int
  public var architecture: Graph
  public var dataset: DatasetName

  /// What the data is, once it was read: how many images, and their SHA-256.
  public var data: String?
  public var normalization: Normalization

  /// How many training images are held out for choosing; of each shard, where members have their own.
  public var validation: Int

  /// What members tell each other while they train; nil if nothing.
  public var exchange: Coupling?

  /// How training images are split among the members; nil where all learn from all.
  public var shards: Sharding?
  public var training: TrainingSettings

  /// How many students are distilled.
  public var students: Int
  public var distillation: DistillationSettings

  /// Checks what the types do not.
  ///
  /// - Throws: ``UsageError`` naming the option that is out of range.
  public func validate() throws(UsageError) {
    func require(_ condition: Bool, _ message: @autoclosure () -> String) throws(UsageError) {
      if !condition { throw UsageError(message()) }
    }
    func require(_ option: String, _ value: Int, in range: ClosedRange<Int>) throws(UsageError) {
      try require(
        range.contains(value),
        "--\(option) \(value): expected \(range.lowerBound) to \(range.upperBound)")
    }
    // Far above any use; they keep sizes and step counts from overflowing.
    try require("members", members, in: 1...100_000)
    try require("students", students, in: 0...100_000)
    try require("validation", validation, in: 0...1_000_000_000)
    if let size = shards?.size { try require("shard-size", size, in: 1...1_000_000_000) }
    try require(
      shards?.rule != .folders || dataset != .synthetic,
      "--shard-data: the synthetic images come from no folder; name another --dataset")
    try require("epochs", training.epochs, in: 1...1_000_000)
    try require("batch-size", training.batchSize, in: 1...1_000_000)
    try require(
      training.learningRate > 0 && training.learningRate.isFinite,
      "--learning-rate \(training.learningRate): expected a number above 0")
    try require(
      (0..<1).contains(training.momentum),
      "--momentum \(training.momentum): expected a number from 0 to below 1")
    try require(
      training.weightDecay >= 0 && training.weightDecay.isFinite,
      "--weight-decay \(training.weightDecay): expected 0 or more")
    try require(
      (0...1).contains(distillation.alpha),
      "--alpha \(distillation.alpha): expected a number from 0 to 1")
    try require(
      distillation.maximumGradientNorm.map { $0 > 0 && $0.isFinite } ?? true,
      "--max-gradient-norm \(distillation.maximumGradientNorm ?? 0): expected 0 or more")
    try require(
      (1e-3...1e6).contains(distillation.temperature),
      "--temperature \(distillation.temperature): expected 0.001 to 1000000")
  }

  /// Checks that the network fits the data.
  ///
  /// - Throws: ``UsageError``
  package func validate(against data: Dataset) throws(UsageError) {
    guard architecture.inputs == data.features else {
      throw UsageError(
        "--architecture \(architecture): takes \(architecture.inputs) inputs, but \(dataset.rawValue)"
          + " has images of \(data.shape) = \(data.features) numbers")
    }
    let input = architecture.inputShape
    guard input.count != 3 || input == data.shape.numbers else {
      throw UsageError(
        "--architecture \(architecture): takes images of \(ImageShape(numbers: input)), but"
          + " \(dataset.rawValue) has \(data.shape)")
    }
    guard architecture.outputs == data.classes else {
      throw UsageError(
        "--architecture \(architecture): has \(architecture.outputs) outputs, but"
          + " \(dataset.rawValue) has \(data.classes) classes")
    }
  }

  /// The settings that the members' weights do not depend on, taken from another experiment.
  func adoptingLaterStages(of other: Experiment) -> Experiment {
    var result = self
    result.students = other.students
    result.distillation = other.distillation
    return result
  }

  /// What differs between two experiments, a line each: `members: 3 there, 5 here`.
  func differences(from there: Experiment) -> [String] {
    let (here, there) = (fields, there.fields)
    return Set(here.keys).union(there.keys).sorted().compactMap { key in
      here[key] == there[key]
        ? nil : "\(key): \(there[key] ?? "nothing") there, \(here[key] ?? "nothing") here"
    }
  }

  /// Every setting as text, by its path in the file.
  private var fields: [String: String] {
    guard let data = try? JSONEncoder().encode(self),
      let object = try? JSONSerialization.jsonObject(with: data)
    else { return [:] }
    var result: [String: String] = [:]
    func collect(_ value: Any, _ path: String) {
      if let dictionary = value as? [String: Any] {
        for (key, value) in dictionary { collect(value, path.isEmpty ? key : "\(path).\(key)") }
      } else {
        result[path] = "\(value)"
      }
    }
    collect(object, "")
    return result
  }
}
