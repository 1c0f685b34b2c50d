import Foundation
import Merging
import Networks
import Tensors

extension RunFolder {
  static func memberName(_ number: Int) -> String { numbered("members", number) }
  static func studentName(_ number: Int) -> String { numbered("students", number) }
  static func mergedName(_ chain: String) -> String { "merged/\(chain)" }

  private static func numbered(_ folder: String, _ number: Int) -> String {
    let digits = String(number)
    return "\(folder)/\(String(repeating: "0", count: max(3 - digits.count, 0)))\(digits)"
  }

  /// What the name of a variant that was hardened ends with.
  static let hardMark = "-hard"

  func hasNetwork(_ name: String) -> Bool { exists("\(name).safetensors") }

  /// Writes a network with what is needed to use it, and what it was made by.
  func write(
    _ network: Network, _ name: String, for experiment: Experiment,
    provenance: Provenance? = nil
  ) throws {
    var metadata = [
      "dataset": experiment.dataset.rawValue,
      "normalization": experiment.normalization.description,
      "seed": String(experiment.seed),
      "program": "permavg",
    ]
    metadata[Provenance.key] = provenance?.text
    try network.checkpoint(metadata: metadata).write(to: path("\(name).safetensors"))
  }

  /// Reads a network and checks that it is of the run's architecture.
  func readNetwork(_ name: String, for experiment: Experiment) throws(CheckpointError) -> Network {
    let network = try readAnyNetwork(name)
    guard network.graph == experiment.architecture else {
      throw CheckpointError(
        path("\(name).safetensors"),
        "is of architecture \(network.graph), the run's networks are"
          + " \(experiment.architecture)")
    }
    return network
  }

  /// Reads a merged network, which may have other widths than the members.
  func readMerged(_ name: String, for experiment: Experiment) throws(CheckpointError) -> Network {
    let network = try readAnyNetwork(name)
    let graph = experiment.architecture
    guard (network.graph.inputs, network.graph.outputs) == (graph.inputs, graph.outputs) else {
      throw CheckpointError(
        path("\(name).safetensors"),
        "is of architecture \(network.graph), which has not the inputs and outputs of the run's \(graph)"
      )
    }
    return network
  }

  private func readAnyNetwork(_ name: String) throws(CheckpointError) -> Network {
    let file = path("\(name).safetensors")
    return try Network(Safetensors(contentsOf: file), path: file)
  }

  /// What a network says it was made by; nil if it says nothing.
  func readProvenance(_ name: String) throws(CheckpointError) -> Provenance? {
    Provenance(try Safetensors(contentsOf: path("\(name).safetensors")).metadata)
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
    for case (.student(let index), _) in log.curves where index >= count {
      try remove("\(Self.studentName(index)).safetensors")
      log.replace(.student(index), with: [])
    }
    try write(log)
  }

  /// The merged networks there are, in the order that their methods are listed in.
  ///
  /// - Throws: `CheckpointError` for a file whose name is no chain of methods that this version knows.
  func merged() throws(CheckpointError) -> [Predictor] {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: path("merged"))) ?? []
    var found: [(places: [Int], predictor: Predictor)] = []
    let known = MethodCatalog.standard.methods.map(\.name)
    for file in files.sorted()
    where file.hasSuffix(".safetensors") && !file.contains(Self.permutationMark) {
      let name = String(file.dropLast(".safetensors".count))
      let isHard = name.hasSuffix(Self.hardMark)
      let chain: MethodChain
      do {
        chain = try MethodChain(
          parsing: isHard ? String(name.dropLast(Self.hardMark.count)) : name)
      } catch {
        throw CheckpointError(
          path("merged/\(file)"),
          "its name is no chain of methods that this version knows: \(error); use the permavg that"
            + " made it, or move it elsewhere")
      }
      guard chain.name + (isHard ? Self.hardMark : "") == name else {
        throw CheckpointError(
          path("merged/\(file)"),
          "its name is no chain of methods as this version writes it, \(chain.name); rename it, or"
            + " move it elsewhere")
      }
      found.append(
        (
          chain.links.map { known.firstIndex(of: $0.method.name) ?? known.count },
          .merged(chain, isHard: isHard)
        ))
    }
    return found.sorted { a, b in
      a.places == b.places
        ? a.predictor.name < b.predictor.name : a.places.lexicographicallyPrecedes(b.places)
    }.map(\.predictor)
  }
}
