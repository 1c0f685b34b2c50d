import Experiments
import Foundation
import Merging
import Networks
import Tensors

/// The page that shows a run to a person: `report.html`, one file that needs no network.
struct Report {
  let folder: RunFolder
  let experiment: Experiment
  let results: Results
  let log: LearningLog
  let timings: Timings
  let communication: CommunicationLog

  /// Reads what the folder holds.
  ///
  /// - Throws: `RunFolderError` if the folder has not been evaluated.
  init(_ folder: RunFolder, _ experiment: Experiment) throws {
    guard let results = try folder.readResults() else {
      throw RunFolderError(
        folder.path, "has no results.json; evaluate it first: `permavg evaluate \(folder.path)`")
    }
    self.folder = folder
    self.experiment = experiment
    self.results = results
    log = try folder.readLearningLog()
    timings = try folder.readTimings()
    communication = try folder.readCommunication()
  }

  /// Writes the page into the folder.
  func write() throws {
    let sections =
      [
        resultsSection, try shardSection(), classSection, learningSection, try permutationSection(),
        lineSection, barrierSection,
      ]
      + [communicationSection, settingsSection]
    let page = HTMLPage(
      title: "\(counted(experiment.members, "member")) of \(experiment.architecture) on"
        + " \(experiment.dataset.rawValue)",
      lead: lead, sections: sections.compactMap { $0 })
    try folder.writeText(page.html, "report.html")
  }

  /// The run in a sentence or two.
  private var lead: String {
    func percent(_ row: Results.Row?) -> String? {
      row.map { "\(decimal(100 * $0.test.accuracy, 2)) %" }
    }
    var parts: [String] = []
    let members = results.rows(.member).map(\.test.accuracy)
    parts.append(
      "The members reach \(decimal(100 * (members.min() ?? 0), 2)) to"
        + " \(decimal(100 * (members.max() ?? 0), 2)) % on the test set")
    if let ensemble = percent(results.row(.ensemble(.logits))) {
      parts.append("their ensemble \(ensemble) with \(experiment.members) networks")
    }
    if let merged = percent(results.row(method: "permavg")) {
      parts.append("one network merged by learned permutations <strong>\(merged)</strong>")
    }
    let learned = results.rows(.merged).filter { row in
      row.predictor.chain?.links.contains { $0.method.name.hasPrefix("unit-weights") } ?? false
    }
    if let best = learned.last, let merged = percent(best) {
      parts.append(
        "one in which each unit has its own weights of the members <strong>\(merged)</strong>")
    }
    if let naive = percent(results.row(method: "naive")) {
      parts.append("one merged without permutations \(naive)")
    }
    if let student = percent(results.row(.student(0))) {
      parts.append("one distilled from the ensemble \(student)")
    }
    return parts.joined(separator: ", ") + "."
  }
}

extension Results {
  /// The first merged network that one method alone made.
  func row(method name: String) -> Row? {
    rows.first { row in
      guard case .merged(let chain, isHard: false) = row.predictor else { return false }
      return chain.links.map(\.method.name) == [name]
    }
  }
}

/// One colour for each kind of predictor, in every figure; told apart by colour-blind readers too.
enum Palette {
  static let member = "#8a94a6"
  static let ensemble = "#d97706"
  static let merged = "#0f766e"
  static let hard = "#65a30d"
  static let naive = "#dc2626"
  static let student = "#7c3aed"

  static func color(of row: Results.Row) -> String {
    switch row.predictor {
    case .member: member
    case .ensemble: ensemble
    case .student: student
    case .merged(_, isHard: true): hard
    case .merged(let chain, _):
      chain.isControl ? self.member : chain == MethodChain(.naive) ? naive : merged
    }
  }
}
