import Foundation
import Networks
import Tensors

/// The folder that is the record of a run; whatever a command prints can be recomputed from it.
///
/// `experiment.json`, `members/000.safetensors …`, `merged/<chain>.safetensors`,
/// `students/000.safetensors …`, `results.json`, `metrics.jsonl`, `timings.json`,
/// `communication.json`, `costs.json`, `shards.json`, `report.html`. Only rank 0 touches it. Every file is written atomically.
///
/// A study's cell is a run folder that uses the members of the seed's folder it lies in.
public struct RunFolder: Sendable {
  public let path: String

  /// Whose `members/` are used; nil for the folder's own.
  private let membersPath: String?

  /// The folder at a path, which need not exist yet; a study's cell knows its members.
  public init(_ path: String) {
    let seed = URL(fileURLWithPath: path).deletingLastPathComponent().path
    let study = URL(fileURLWithPath: seed).deletingLastPathComponent().path
    let files = FileManager.default
    let isCell =
      files.fileExists(atPath: "\(study)/study.json") && isDirectory("\(seed)/members")
      && !files.fileExists(atPath: "\(path)/members")
    self.init(path, membersOf: isCell ? seed : nil)
  }

  /// A folder that uses the members of another.
  init(_ path: String, membersOf other: String?) {
    self.path = path
    membersPath = other
  }

  package func path(_ name: String) -> String {
    guard let membersPath, name.hasPrefix("members") || name == "shards.json" else {
      return "\(path)/\(name)"
    }
    return "\(membersPath)/\(name)"
  }

  package func exists(_ name: String) -> Bool {
    FileManager.default.fileExists(atPath: path(name))
  }

  func make(_ folder: String) throws(RunFolderError) {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw RunFolderError(folder, "could not be made: \(error.localizedDescription)")
    }
  }

  // MARK: - Records

  /// Reads what the folder is about.
  func readExperiment() throws -> Experiment {
    guard FileManager.default.fileExists(atPath: path) else {
      throw RunFolderError(
        path, "no such run folder; make one with `permavg train --output \(path)`")
    }
    guard
      let experiment = try readRecord(
        Experiment.self, "experiment.json", version: Experiment.currentVersion)
    else {
      throw RunFolderError(
        path, "holds no experiment.json, so it is not a run folder of permavg")
    }
    return experiment
  }

  package func readResults() throws -> Results? {
    try readRecord(Results.self, "results.json", version: Results.currentVersion)
  }
  package func readShards() throws -> ShardRecord? {
    // A study's cell has its members' data.
    try readRecord(ShardRecord.self, "shards.json", version: 1)
  }
  package func readCosts() throws -> Costs {
    try readRecord(Costs.self, "costs.json", version: 1) ?? Costs()
  }

  /// Notes what networks took in messages.
  func note(cost: Costs.Cost, of names: [String]) throws {
    var costs = try readCosts()
    for name in names { costs.entries[name] = cost }
    try writeJSON(costs, "costs.json")
  }

  package func readTimings() throws -> Timings {
    try readRecord(Timings.self, "timings.json", version: 1) ?? Timings()
  }
  package func readCommunication() throws -> CommunicationLog {
    let log =
      try readRecord(CommunicationLog.self, "communication.json", version: 1) ?? CommunicationLog()
    guard log.isPossible else {
      throw RunFolderError(
        path("communication.json"), "holds counts that no command has; remove the file")
    }
    return log
  }

  package func readLearningLog() throws -> LearningLog {
    guard exists("metrics.jsonl") else { return LearningLog() }
    return try LearningLog(try read("metrics.jsonl"), path: path("metrics.jsonl"))
  }

  func write(_ log: LearningLog) throws {
    try writeAtomically(try log.encoded(), to: path("metrics.jsonl"))
  }

  /// Notes how long things took to make.
  func note(seconds: [(name: String, seconds: Double)]) throws {
    guard !seconds.isEmpty else { return }
    var timings = try readTimings()
    for (name, seconds) in seconds { timings.seconds[name] = seconds }
    try writeJSON(timings, "timings.json")
  }

  // MARK: - Texts and JSON

  package func writeText(_ text: String, _ name: String) throws {
    try writeAtomically(Data(text.utf8), to: path(name))
  }

  func writeJSON(_ value: some Encodable, _ name: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    var data = try encoder.encode(value)
    data.append(UInt8(ascii: "\n"))
    try writeAtomically(data, to: path(name))
  }

  /// Reads a record, if it is there.
  ///
  /// - Throws: ``RunFolderError`` naming the file if it is of another version, or no such record.
  func readRecord<Value: Decodable>(
    _ type: Value.Type, _ name: String, version: Int
  ) throws -> Value? {
    guard exists(name) else { return nil }
    let data = try read(name)
    do {
      let found = try JSONDecoder().decode(Versioned.self, from: data).version
      guard found == version else {
        throw RunFolderError(
          path(name),
          "is of version \(found), this program reads version \(version); "
            + (found > version
              ? "use a newer permavg" : "use the permavg that wrote it, or make it anew"))
      }
      return try JSONDecoder().decode(type, from: data)
    } catch let error as DecodingError {
      throw RunFolderError(path(name), "is not what permavg writes: \(error.explanation)")
    }
  }

  private func read(_ name: String) throws(RunFolderError) -> Data {
    do {
      return try Data(contentsOf: URL(fileURLWithPath: path(name)))
    } catch {
      throw RunFolderError(path(name), "could not be read: \(error.localizedDescription)")
    }
  }
}

extension DecodingError {
  /// What is wrong and where, in a line.
  fileprivate var explanation: String {
    func place(_ context: Context) -> String {
      let path = context.codingPath.map(\.stringValue).joined(separator: ".")
      return path.isEmpty ? context.debugDescription : "\(path): \(context.debugDescription)"
    }
    switch self {
    case .keyNotFound(let key, let context):
      let path = (context.codingPath + [key]).map(\.stringValue).joined(separator: ".")
      return "\(path) is missing"
    case .valueNotFound(_, let context), .typeMismatch(_, let context), .dataCorrupted(let context):
      return place(context)
    @unknown default: return "\(self)"
    }
  }
}

/// The version that every record starts with.
private struct Versioned: Decodable {
  let version: Int
}
