import Foundation
import Merging
import Networks
import Tensors

/// The learning curves of a run: `metrics.jsonl` of a run folder, one JSON object a line.
///
/// Holds nothing that depends on time or machine, and its lines are sorted, so equal experiments give
/// equal bytes.
public struct LearningLog: Equatable, Sendable {
  /// Who learned.
  public enum Learner: Hashable, Sendable {
    case member(Int)
    case student(Int)
    /// A step of a chain of merging methods, from 0.
    case merge(chain: String, step: Int)
  }

  /// One epoch of one learner.
  public struct Record: Equatable, Sendable {
    public var learner: Learner
    public var epoch: EpochRecord
  }

  public private(set) var records: [Record] = []

  /// An empty log.
  public init() {}

  /// The log of a file's lines.
  ///
  /// - Throws: `RunFolderError` naming the first line that is not a record.
  init(_ data: Data, path: String) throws(RunFolderError) {
    for (number, line) in data.split(separator: UInt8(ascii: "\n")).enumerated() {
      do {
        records.append(try JSONDecoder().decode(Record.self, from: Data(line)))
      } catch {
        throw RunFolderError(path, "line \(number + 1) is not a record of an epoch")
      }
    }
  }

  /// Puts the curve of one learner in the place of what was there.
  mutating func replace(_ learner: Learner, with epochs: [EpochRecord]) {
    records.removeAll { $0.learner == learner }
    append(learner, epochs)
  }

  /// Puts the curves of a chain's steps in the place of what was there.
  mutating func replace(merge chain: MethodChain, with curves: [MergeState.Curve]) {
    records.removeAll {
      if case .merge(chain.name, _) = $0.learner { true } else { false }
    }
    for curve in curves { append(.merge(chain: chain.name, step: curve.step), curve.epochs) }
  }

  private mutating func append(_ learner: Learner, _ epochs: [EpochRecord]) {
    records += epochs.map { Record(learner: learner, epoch: $0) }
    records.sort { a, b in
      a.learner == b.learner ? a.epoch.epoch < b.epoch.epoch : a.learner < b.learner
    }
  }

  /// The file's bytes.
  func encoded() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var data = Data()
    for record in records {
      data.append(try encoder.encode(record))
      data.append(UInt8(ascii: "\n"))
    }
    return data
  }

  /// Every learner with its epochs, in order.
  package var curves: [(learner: Learner, epochs: [EpochRecord])] {
    var result: [(learner: Learner, epochs: [EpochRecord])] = []
    for record in records {
      if result.last?.learner == record.learner {
        result[result.count - 1].epochs.append(record.epoch)
      } else {
        result.append((record.learner, [record.epoch]))
      }
    }
    return result
  }
}

extension LearningLog.Learner: Comparable {
  /// Members, then merges, then students.
  public static func < (a: Self, b: Self) -> Bool { a.order < b.order }

  private var order: (Int, String, Int) {
    switch self {
    case .member(let number): (0, "", number)
    case .merge(let chain, let step): (1, chain, step)
    case .student(let number): (2, "", number)
    }
  }
}

extension LearningLog.Record: Codable {
  private enum Key: String, CodingKey {
    case stage, index, chain, step
  }

  private enum Stage: String, Codable {
    case member, merge, student
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    switch try container.decode(Stage.self, forKey: .stage) {
    case .member: learner = .member(try container.decode(Int.self, forKey: .index))
    case .student: learner = .student(try container.decode(Int.self, forKey: .index))
    case .merge:
      learner = .merge(
        chain: try container.decode(String.self, forKey: .chain),
        step: try container.decode(Int.self, forKey: .step))
    }
    epoch = try EpochRecord(from: decoder)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    switch learner {
    case .member(let number):
      try container.encode(Stage.member, forKey: .stage)
      try container.encode(number, forKey: .index)
    case .student(let number):
      try container.encode(Stage.student, forKey: .stage)
      try container.encode(number, forKey: .index)
    case .merge(let chain, let step):
      try container.encode(Stage.merge, forKey: .stage)
      try container.encode(chain, forKey: .chain)
      try container.encode(step, forKey: .step)
    }
    try epoch.encode(to: encoder)
  }
}
