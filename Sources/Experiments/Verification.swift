import Foundation
import Merging
import Networks
import Tensors

/// Shows which axes permutations act on, and that permuting hidden units leaves networks' functions as they are.
///
/// Of a run folder: its members, merged networks and students under random permutations, and the members under those
/// that merging found. Of checkpoints from anywhere: each under random permutations.
public struct Verification {
  public let paths: [String]
  public let isRunFolder: Bool

  /// The graph that PyTorch's exporter sees of the checkpoints' networks; nil where their files say what they are.
  public let graph: String?

  /// The dense layers in their order, by name; nil where the names say it.
  public let layers: [String]?

  /// Where to write the only checkpoint, its units permuted at random; nil for nowhere.
  public let permuted: String?
  public let draws: Int
  public let seed: UInt64
  public let threads: Int

  /// A verification.
  ///
  /// - Parameters:
  ///   - paths: one run folder, or checkpoints.
  ///   - isRunFolder: which of the two.
  ///   - graph: the exported graph of the checkpoints, if they need one.
  ///   - layers: the order of dense layers, if names do not say.
  ///   - permuted: a file for the only checkpoint with its units permuted, for networks of an exported graph.
  ///   - draws: how many random permutations each network is put through.
  ///   - seed: the seed of permutations and inputs.
  ///   - threads: how many threads compute; nil for one a core.
  /// - Throws: ``UsageError`` if there is nothing to draw or no thread to do it.
  public init(
    _ paths: [String], isRunFolder: Bool, graph: String? = nil, layers: [String]? = nil,
    permuted: String? = nil, draws: Int, seed: UInt64, threads: Int?
  ) throws(UsageError) {
    guard !isRunFolder || graph == nil && layers == nil && permuted == nil else {
      throw UsageError(
        "--graph, --layers and --permuted are for checkpoints; \(paths[0]) is a run folder, which knows its own"
      )
    }
    if let permuted {
      guard graph != nil, paths.count == 1 else {
        throw UsageError("--permuted \(permuted): goes with --graph and one checkpoint")
      }
      guard permuted != paths[0] else {
        throw UsageError("--permuted \(permuted): is the checkpoint itself; name another file")
      }
    }
    guard (1...1_000_000).contains(draws) else {
      throw UsageError("--draws \(draws): expected 1 to 1000000")
    }
    try Job.validate(threads: threads)
    self.paths = paths
    self.isRunFolder = isRunFolder
    self.graph = graph
    self.layers = layers
    self.permuted = permuted
    self.draws = draws
    self.seed = seed
    self.threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
  }

  /// What came of it.
  public struct Outcome: Codable, Sendable {
    /// One for each architecture with its own tensor names.
    public var specs: [Spec] = []
    public var rows: [Row] = []

    /// Of an exported graph: what permutations reach; nil for networks of this library's layers.
    public var coverage: Coverage?

    /// The share of the largest logit that a difference must stay below.
    public var tolerance = InvarianceCheck.tolerance
  }

  /// What the permutations of one kind of network act on.
  public struct Spec: Codable, Equatable, Sendable {
    public var architecture: String
    public var permutations: [Permutation]

    /// One permutation of hidden units.
    public struct Permutation: Codable, Equatable, Sendable {
      public var units: Int
      public var axes: [Axis]
    }

    /// An axis of a tensor.
    public struct Axis: Codable, Equatable, Sendable {
      public var tensor: String
      public var shape: [Int]
      /// From 0.
      public var axis: Int
      /// Where the units lie along the axis, if they are not all there is: unit u of n has the entries
      /// `offset` + (o × n + u) × `block` + b for o below `repeats` and b below `block`.
      public var offset: Int?
      public var repeats: Int?
      public var block: Int?
    }

    init(_ graph: Graph, names: [String]) {
      let names = Dictionary(
        zip(graph.tensorNames, names), uniquingKeysWith: { first, _ in first })
      architecture = graph.description
      permutations = graph.symmetry.groups.map { group in
        Permutation(
          units: group.count,
          axes: group.places.map { place in
            Axis(
              tensor: names[place.tensor.name] ?? place.tensor.name, shape: place.tensor.shape,
              axis: place.axis, offset: place.isWholeAxis ? nil : place.offset,
              repeats: place.isWholeAxis ? nil : place.outer,
              block: place.isWholeAxis ? nil : place.block)
          })
      }
    }
  }

  /// How far permutations moved a network's logits.
  public struct Row: Codable, Sendable {
    /// The file, or which networks.
    public var name: String
    /// `random`, or the chain of methods that found the permutations.
    public var permutations: String
    public var largestLogit: Double
    /// The largest difference of two logits, over inputs and draws.
    public var difference: Double
    /// The difference as a share of the largest logit.
    public var relative: Double
  }

  /// Reads and checks every network.
  ///
  /// - Throws: `CheckpointError` for a file that is no network, `RunFolderError`.
  public func run() throws -> Outcome {
    try isRunFolder ? verifyFolder(RunFolder(paths[0])) : verifyCheckpoints()
  }

  private func verifyCheckpoints() throws -> Outcome {
    var outcome = Outcome()
    let layout = try CheckpointLayout(graph: graph, layers: layers)
    outcome.coverage = layout.exported?.exportedSymmetry.map { Coverage($0) }
    for file in try paths.map({ try CheckpointFile($0, as: layout) }) {
      let spec = Spec(file.network.graph, names: file.tensorNames)
      if !outcome.specs.contains(spec) { outcome.specs.append(spec) }
      guard file.network.graph.canRun else {
        if let permuted {
          try file.form.checkpoint(of: randomlyPermuted(file.network)).write(to: permuted)
        }
        continue
      }
      outcome.rows.append(try row(file.network, file.path, check(file.network.graph)))
    }
    return outcome
  }

  private func verifyFolder(_ folder: RunFolder) throws -> Outcome {
    let experiment = try folder.readExperiment()
    try experiment.validate()
    let graph = experiment.architecture
    let memberCheck = check(graph)
    var outcome = Outcome(specs: [Spec(graph, names: graph.tensorNames)])

    let memberNames = (0..<experiment.members).map(RunFolder.memberName)
      .filter(folder.hasNetwork)
    let members = try memberNames.map { try folder.readNetwork($0, for: experiment) }
    let merged = try folder.merged()
    let laterNames =
      merged.map { RunFolder.mergedName($0.name) }
      + (0..<experiment.students).map(RunFolder.studentName).filter(folder.hasNetwork)
    let later = try laterNames.map { try folder.readMerged($0, for: experiment) }
    guard !members.isEmpty || !later.isEmpty else {
      throw CheckpointError(
        folder.path,
        "holds no networks yet; train the members first: `permavg train --output \(folder.path)`")
    }
    for (name, network) in zip(memberNames + laterNames, members + later) {
      // A merge may have other widths than the members.
      let spec = Spec(network.graph, names: network.graph.tensorNames)
      if !outcome.specs.contains(spec) { outcome.specs.append(spec) }
      outcome.rows.append(
        try row(
          network, folder.path("\(name).safetensors"),
          network.graph == graph ? memberCheck : check(network.graph)))
    }
    for case .merged(let chain, isHard: false) in merged
    where members.count == experiment.members {
      guard let found = try folder.readAlignment(of: chain, for: experiment) else { continue }
      let worst = zip(members, found.permutations)
        .map { memberCheck.differenceWhenPermuted($0, by: [$1]) }
        .max { $0.relative < $1.relative }
      if let worst { outcome.rows.append(Row(folder.path("members"), chain.name, worst)) }
    }
    return outcome
  }

  private func randomlyPermuted(_ network: Network) -> Network {
    network.permuted(
      by: network.graph.symmetry.groups.map { group in
        var random = RandomStream(seed: seed, "check permutation", 0, group.index)
        return Permutation(random.permutation(of: group.count))
      })
  }

  private func check(_ graph: Graph) -> InvarianceCheck {
    InvarianceCheck(graph, draws: draws, seed: seed, threads: threads)
  }

  private func row(_ network: Network, _ path: String, _ check: InvarianceCheck) throws -> Row {
    let difference = check.differenceWhenPermuted(network, by: check.draws)
    try requireFinite([difference.largestLogit], of: path)
    return Row(path, "random", difference)
  }
}

extension Verification.Row {
  fileprivate init(
    _ name: String, _ permutations: String, _ difference: InvarianceCheck.Difference
  ) {
    self.init(
      name: name, permutations: permutations, largestLogit: Double(difference.largestLogit),
      difference: Double(difference.absolute), relative: difference.relative)
  }
}

extension Verification.Outcome {
  /// Checks that no network's function was changed.
  ///
  /// - Throws: `CheckpointError` naming the first that was.
  public func requireInvariance() throws(CheckpointError) {
    guard let row = rows.first(where: { !($0.relative < tolerance) }) else { return }
    throw CheckpointError(
      row.name,
      "permuting hidden units (\(row.permutations)) changes its logits by \(scientific(row.relative))"
        + " of the largest, \(scientific(tolerance)) is allowed: the permutations do not fit the"
        + " network, or its weights cancel so closely that sums of 32-bit floats depend on their order"
    )
  }

  /// The specs, and the rows as a table.
  public func table(draws: Int) -> String {
    let specs = specs.map { spec in
      (["\(spec.architecture): \(counted(spec.permutations.count, "permutation"))"]
        + spec.permutations.enumerated().map { index, permutation in
          let shown = coverage == nil ? permutation.axes.count : 6
          var axes = permutation.axes.prefix(shown).map { axis in
            let shape = axis.shape.map(String.init).joined(separator: " × ")
            return "axis \(axis.axis) of \(axis.tensor) [\(shape)]\(axis.part)"
          }
          if permutation.axes.count > shown {
            axes.append("and \(permutation.axes.count - shown) more")
          }
          return "  P\(index) of \(counted(permutation.units, "unit")): "
            + axes.joined(separator: ", ")
        }).joined(separator: "\n")
    }
    var table = TextTable([
      "logits on \(InvarianceCheck.rows) random inputs", "permuted", "largest logit",
      "largest difference", "relative",
    ])
    for row in rows {
      table.append([
        row.name, row.permutations == "random" ? "at random, \(draws) ×" : "by \(row.permutations)",
        decimal(row.largestLogit, 3), scientific(row.difference), scientific(row.relative),
      ])
    }
    if let coverage { return specs.joined(separator: "\n") + "\n\n" + coverage.text }
    return specs.joined(separator: "\n") + "\n\n" + table.text
  }
}

extension Verification.Spec.Axis {
  /// How the units lie along the axis, where they are not all there is.
  fileprivate var part: String {
    guard let offset, let repeats, let block else { return "" }
    let words = [
      offset > 0 || repeats == 1 && block == 1 ? "from \(offset)" : nil,
      repeats > 1 ? "\(repeats) times" : nil,
      block > 1 ? "in blocks of \(block)" : nil,
    ].compactMap(\.self)
    return words.isEmpty ? "" : " " + words.joined(separator: ", ")
  }
}

/// `1.2e-07`; `0` for zero.
func scientific(_ value: Double) -> String {
  value == 0 ? "0" : String(format: "%.1e", value)
}
