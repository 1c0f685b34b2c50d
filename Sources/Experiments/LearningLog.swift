import Foundation

/// The learning curves of a run: `metrics.jsonl` of a run folder, one JSON object a line.
///
/// Holds nothing that depends on time or machine, and its lines are sorted, so equal experiments give
/// equal bytes.
public struct LearningLog: Equatable, Sendable {
  /// One epoch of one thing that learns.
  public struct Record: Codable, Equatable, Sendable {
    /// `member`, `student` or a chain of merging methods.
    public var stage: String
    /// Which member or student; 0 for a method.
    public var index: Int
    /// From 1.
    public var epoch: Int
    /// Mean training loss in nats, each batch before its own step.
    public var loss: Double
    /// Training accuracy, each batch before its own step.
    public var accuracy: Double
    /// Accuracy on held-out images; nil without a validation split.
    public var validationAccuracy: Double?
    /// The mean largest entry a row of the learned matrices; PermAVG only.
    public var sharpness: Double?
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
  mutating func replace(stage: String, index: Int, with curve: [Record]) {
    records.removeAll { $0.stage == stage && $0.index == index }
    records.append(contentsOf: curve)
    records.sort { ($0.stage, $0.index, $0.epoch) < ($1.stage, $1.index, $1.epoch) }
  }

  /// The file's bytes.
  func encoded() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    var data = Data()
    for record in records {
      data.append(try encoder.encode(record))
      data.append(UInt8(ascii: "\n"))
    }
    return data
  }

  /// The chains of merging methods that learned, sorted.
  var mergingStages: [String] {
    Set(records.map(\.stage)).subtracting(["member", "student"]).sorted()
  }

  /// The curves of a stage, by index.
  func curves(_ stage: String) -> [(index: Int, records: [Record])] {
    Dictionary(grouping: records.filter { $0.stage == stage }, by: \.index)
      .sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }
}
