import Datasets
import Foundation
import Merging
import Networks

/// The folder that is the record of a run; whatever a command prints can be recomputed from it.
///
/// `experiment.json`, `members/000.safetensors …`, `merged/<method>.safetensors`,
/// `students/000.safetensors …`, `results.json`, `metrics.jsonl`, `timings.json`,
/// `communication.json`, `report.html`. Only rank 0 touches it. Every file is written atomically.
public struct RunFolder: Sendable {
  public let path: String

  /// Whose `members/` are used; nil for the folder's own.
  private let membersPath: String?

  /// The folder at a path, which need not exist yet.
  public init(_ path: String) { self.init(path, membersOf: nil) }

  /// A folder that uses the members of another.
  init(_ path: String, membersOf other: String?) {
    self.path = path
    membersPath = other
  }

  func path(_ name: String) -> String {
    guard let membersPath, name.hasPrefix("members") else { return "\(path)/\(name)" }
    return "\(membersPath)/\(name)"
  }

  func exists(_ name: String) -> Bool {
    FileManager.default.fileExists(atPath: path(name))
  }

  // MARK: - The experiment

  /// Reads what the folder is about.
  func readExperiment() throws -> Experiment {
    guard FileManager.default.fileExists(atPath: path) else {
      throw RunFolderError(
        path, "no such run folder; make one with `permavg train --output \(path)`")
    }
    guard let experiment = try readJSON(Experiment.self, "experiment.json") else {
      throw RunFolderError(
        path, "holds no experiment.json, so it is not a run folder of permavg")
    }
    guard experiment.version == 1 else {
      throw RunFolderError(
        path("experiment.json"),
        "is of version \(experiment.version), this program knows version 1; use a newer permavg")
    }
    return experiment
  }

  /// Makes the folder for an experiment, or finds it already there.
  ///
  /// Settings of merging and of distillation may change, and what was made with others goes; the
  /// members' may not change.
  ///
  /// - Parameters:
  ///   - experiment: what the folder is to be about.
  ///   - keepsLaterStages: whether settings of merging and distillation stay as the folder has them.
  /// - Throws: ``UsageError`` if the folder holds another experiment or other things, ``RunFolderError`` if
  ///   its `members/`, `merged/` or `students/` is a link.
  func prepare(for experiment: Experiment, keepingLaterStages keepsLaterStages: Bool) throws {
    var experiment = experiment
    try requireOwn(Self.folders)
    if exists("experiment.json") {
      let there = try readExperiment()
      if keepsLaterStages { experiment = experiment.adoptingLaterStages(of: there) }
      let differences = experiment.differences(
        from: there.adoptingLaterStages(of: experiment))
      guard differences.isEmpty else {
        throw UsageError(
          "\(path): holds another experiment (\(differences.joined(separator: "; ")));"
            + " choose another --output, or remove the folder")
      }
      try empty(
        (there.merging == experiment.merging ? [] : ["merged"])
          + (there.distillation == experiment.distillation ? [] : ["students"]))
    } else if let contents = try? FileManager.default.contentsOfDirectory(atPath: path),
      !contents.isEmpty
    {
      throw UsageError(
        "\(path): holds \(contents.count) other files (\(contents.sorted()[0]) …) and no"
          + " experiment.json; choose another --output")
    }
    try make(path)
    // First of all, so that whatever comes later is known to be ours.
    try writeJSON(experiment, "experiment.json")
    for folder in Self.folders { try make(path(folder)) }
  }

  func make(_ folder: String) throws(RunFolderError) {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw RunFolderError(folder, "could not be made: \(error.localizedDescription)")
    }
  }

  // MARK: - Networks

  /// The folders that networks lie in.
  static let folders = ["members", "merged", "students"]

  static func memberName(_ number: Int) -> String { numbered("members", number) }
  static func studentName(_ number: Int) -> String { numbered("students", number) }
  static func mergedName(_ method: String) -> String { "merged/\(method)" }

  private static func numbered(_ folder: String, _ number: Int) -> String {
    let digits = String(number)
    return "\(folder)/\(String(repeating: "0", count: max(3 - digits.count, 0)))\(digits)"
  }

  func hasNetwork(_ name: String) -> Bool { exists("\(name).safetensors") }

  /// Writes a network with what is needed to use it.
  func write(_ network: Network, _ name: String, for experiment: Experiment) throws {
    let metadata = [
      "dataset": experiment.dataset.rawValue,
      "normalization": experiment.normalization.description,
      "seed": String(experiment.seed),
      "program": "permavg",
    ]
    try network.checkpoint(metadata: metadata).write(to: path("\(name).safetensors"))
  }

  /// Reads a network and checks that it is of the run's architecture.
  func readNetwork(_ name: String, for experiment: Experiment) throws(CheckpointError) -> Network {
    let file = path("\(name).safetensors")
    let network = try Network(Safetensors(contentsOf: file), path: file)
    guard network.architecture == experiment.architecture else {
      throw CheckpointError(
        file,
        "is of architecture \(network.architecture), the run's networks are"
          + " \(experiment.architecture)")
    }
    return network
  }

  /// Reads every member.
  func readMembers(for experiment: Experiment) throws(CheckpointError) -> [Network] {
    var members: [Network] = []
    for number in 0..<experiment.members {
      let name = Self.memberName(number)
      guard hasNetwork(name) else {
        throw CheckpointError(
          path("\(name).safetensors"),
          "no such file; train the members first: `permavg train --output \(path)`")
      }
      members.append(try readNetwork(name, for: experiment))
    }
    return members
  }

  /// Removes students of an earlier distillation that had more, and their curves.
  func removeStudents(from count: Int) throws {
    var log = try readLearningLog()
    for (index, _) in log.curves("student") where index >= count {
      try remove("\(Self.studentName(index)).safetensors")
      log.replace(stage: "student", index: index, with: [])
    }
    try write(log)
  }

  /// The names of the merged networks there are, in the order that their methods are listed in.
  func mergedNames() -> [String] {
    let known = MergingMethod.all.map(\.name)
    func places(_ name: String) -> [Int] {
      name.split(separator: "+").map { step in
        let method = step.hasSuffix(Self.hardMark) ? step.dropLast(Self.hardMark.count) : step
        return known.firstIndex(of: String(method)) ?? known.count
      }
    }
    return mergedFiles().sorted { a, b in
      let (i, j) = (places(a), places(b))
      return i == j ? a < b : i.lexicographicallyPrecedes(j)
    }
  }

  /// What the name of a variant that was hardened ends with.
  static let hardMark = "-hard"

  private func mergedFiles() -> [String] {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: path("merged"))) ?? []
    return files.filter { $0.hasSuffix(".safetensors") && !$0.contains(Self.permutationMark) }
      .map { String($0.dropLast(".safetensors".count)) }
  }

  // MARK: - Permutations

  static let permutationMark = ".permutations"

  private func permutationPath(_ method: String) -> String {
    path("merged/\(method)\(Self.permutationMark).safetensors")
  }

  /// Writes permutations: `soft.M.L` (n × n) and `hard.M.L` (n indices) for member M, hidden layer L.
  func writePermutations(_ result: Merge, method: String) throws {
    var tensors: [Safetensors.Tensor] = []
    for (member, layers) in (result.softPermutations ?? []).enumerated() where member > 0 {
      for (layer, matrix) in layers.enumerated() {
        tensors.append(
          .init(
            name: "soft.\(member).\(layer)", shape: [matrix.rows, matrix.columns],
            floats: matrix.elements))
      }
    }
    for (member, layers) in result.permutations.enumerated() {
      for (layer, permutation) in layers.enumerated() {
        tensors.append(
          .init(
            name: "hard.\(member).\(layer)", shape: [permutation.count],
            integers: permutation.indices))
      }
    }
    guard !tensors.isEmpty else { return }
    try Safetensors(tensors: tensors, metadata: ["method": method])
      .write(to: permutationPath(method))
  }

  /// The permutations [member][hidden layer] that a method found, if it did.
  func readPermutations(
    method: String, for experiment: Experiment
  ) throws(CheckpointError) -> [[Permutation]]? {
    let file = permutationPath(method)
    guard FileManager.default.fileExists(atPath: file) else { return nil }
    let tensors = try Safetensors(contentsOf: file)
    var result: [[Permutation]] = []
    for member in 0..<experiment.members {
      var layers: [Permutation] = []
      for (layer, width) in experiment.architecture.hiddenWidths.enumerated() {
        let name = "hard.\(member).\(layer)"
        guard let indices = tensors[name]?.integers, indices.sorted() == Array(0..<width) else {
          throw CheckpointError(
            file, "tensor \"\(name)\" is not a permutation of the run's \(width) hidden units")
        }
        layers.append(Permutation(indices))
      }
      result.append(layers)
    }
    return result
  }

  /// The learned matrix of a member and a hidden layer, if the method learned any.
  func readSoftPermutation(
    method: String, member: Int, layer: Int
  ) throws(CheckpointError) -> Matrix? {
    let file = permutationPath(method)
    guard FileManager.default.fileExists(atPath: file) else { return nil }
    guard let tensor = try Safetensors(contentsOf: file)["soft.\(member).\(layer)"],
      let floats = tensor.floats, tensor.shape.count == 2
    else { return nil }
    return Matrix(rows: tensor.shape[0], columns: tensor.shape[1], elements: floats)
  }

  // MARK: - Records

  func readResults() throws -> Results? { try readJSON(Results.self, "results.json") }
  func readTimings() throws -> Timings { try readJSON(Timings.self, "timings.json") ?? Timings() }
  func readCommunication() throws -> CommunicationLog {
    try readJSON(CommunicationLog.self, "communication.json") ?? CommunicationLog()
  }

  func readLearningLog() throws -> LearningLog {
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

  func writeJSON(_ value: some Encodable, _ name: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    var data = try encoder.encode(value)
    data.append(UInt8(ascii: "\n"))
    try writeAtomically(data, to: path(name))
  }

  func readJSON<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value? {
    guard exists(name) else { return nil }
    do {
      return try JSONDecoder().decode(type, from: try read(name))
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
