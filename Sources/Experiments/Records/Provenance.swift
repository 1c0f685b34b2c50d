import Crypto
import Datasets
import Foundation
import Merging
import Networks
import Tensors
import Training

/// What a merged or distilled network was made by and from: kept in its file, as JSON under ``key``.
///
/// A network holds as long as this is what would be written today.
struct Provenance: Codable, Equatable {
  /// The name of the text in a checkpoint's metadata.
  static let key = "provenance"

  /// The version of this text's form.
  var version = 1

  /// The chain of methods with every setting, or `student`.
  let made: String
  let seed: UInt64

  /// The SHA-256 of the members' numbers, in their order.
  let members: String
  let architecture: String

  /// The data that was learned from; nil for none.
  let data: String?
  let normalization: String?

  /// How the data was split among the members; nil where they shared it, or none was learned from.
  let shards: Sharding?

  /// How many training images were held out.
  let validation: Int
  let batchSize: Int
  let flips: Bool

  /// How the ensemble's predictions were combined; nil where none were asked for.
  let targets: Combination?

  /// Of a student; nil for a merged network.
  var distillation: DistillationSettings?
  var training: TrainingSettings?

  /// What a chain makes of members.
  init(
    _ chain: MethodChain, of members: String, architecture: Graph, in experiment: Experiment
  ) {
    self.init(
      chain.fullDescription, members, architecture, experiment, usesData: chain.needsData,
      isTaught: chain.links.contains {
        if case .predictions = $0.method.needs { true } else { false }
      })
  }

  /// What students of members are.
  init(studentsOf members: String, in experiment: Experiment) {
    self.init(
      "student", members, experiment.architecture, experiment, usesData: true, isTaught: true)
    distillation = experiment.distillation
    training = experiment.training
  }

  private init(
    _ made: String, _ members: String, _ graph: Graph, _ experiment: Experiment, usesData: Bool,
    isTaught: Bool
  ) {
    self.made = made
    self.members = members
    architecture = graph.description
    seed = experiment.seed
    data = usesData ? experiment.data : nil
    normalization = usesData ? experiment.normalization.description : nil
    shards = usesData ? experiment.shards : nil
    validation = experiment.validation
    batchSize = experiment.training.batchSize
    flips = experiment.training.flips
    targets = isTaught ? experiment.distillation.targets : nil
  }

  /// What a checkpoint says of itself; nil if it says nothing that this version knows.
  init?(_ metadata: [String: String]) {
    guard let text = metadata[Self.key],
      let value = try? JSONDecoder().decode(Provenance.self, from: Data(text.utf8))
    else { return nil }
    self = value
  }

  /// As it is kept in metadata; the same for equal values.
  var text: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}

/// The SHA-256 of networks' parameters and buffers, in their order.
func fingerprint(of networks: [Network]) -> String {
  var hash = SHA256()
  for network in networks {
    network.parameters.withUnsafeBytes { hash.update(bufferPointer: $0) }
    network.buffers.withUnsafeBytes { hash.update(bufferPointer: $0) }
  }
  return hexadecimal(hash.finalize())
}
