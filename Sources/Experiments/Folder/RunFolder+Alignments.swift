import Foundation
import Merging
import Networks
import Tensors

extension RunFolder {
  static let permutationMark = ".permutations"

  private func permutationPath(_ chain: MethodChain) -> String {
    path("merged/\(chain.name)\(Self.permutationMark).safetensors")
  }

  /// Writes how a chain lined members up: `soft.M.G` (n × n) and `hard.M.G` (n indices) for member M, group of units G.
  func writePermutations(_ state: MergeState, of chain: MethodChain) throws {
    var tensors: [Safetensors.Tensor] = []
    for (member, groups) in (state.softPermutations ?? []).enumerated() where member > 0 {
      for (group, matrix) in groups.enumerated() {
        tensors.append(
          .init(
            name: "soft.\(member).\(group)", shape: [matrix.rows, matrix.columns],
            floats: matrix.elements))
      }
    }
    for (member, groups) in state.alignment.permutations.enumerated() {
      for (group, permutation) in groups.enumerated() {
        tensors.append(
          .init(
            name: "hard.\(member).\(group)", shape: [permutation.count],
            integers: permutation.indices))
      }
    }
    guard !tensors.isEmpty else { return }
    try Safetensors(tensors: tensors, metadata: ["method": chain.name])
      .write(to: permutationPath(chain))
  }

  /// How a chain lined the members up, if it did.
  package func readAlignment(
    of chain: MethodChain, for experiment: Experiment
  ) throws(CheckpointError) -> Alignment? {
    let file = permutationPath(chain)
    guard FileManager.default.fileExists(atPath: file) else { return nil }
    let tensors = try Safetensors(contentsOf: file)
    var result: [[Permutation]] = []
    for member in 0..<experiment.members {
      var own: [Permutation] = []
      for group in experiment.architecture.symmetry.groups {
        let name = "hard.\(member).\(group.index)"
        guard let indices = tensors[name]?.integers, indices.sorted() == Array(0..<group.count)
        else {
          throw CheckpointError(
            file, "tensor \"\(name)\" is not a permutation of the run's \(group.count) hidden units"
          )
        }
        own.append(Permutation(indices))
      }
      result.append(own)
    }
    return Alignment(result)
  }

  /// The learned matrix of a member and a group of units, if the chain learned any.
  package func readSoftPermutation(
    of chain: MethodChain, member: Int, group: Int
  ) throws(CheckpointError) -> Matrix? {
    let file = permutationPath(chain)
    guard FileManager.default.fileExists(atPath: file) else { return nil }
    guard let tensor = try Safetensors(contentsOf: file)["soft.\(member).\(group)"],
      let floats = tensor.floats, tensor.shape.count == 2
    else { return nil }
    return Matrix(rows: tensor.shape[0], columns: tensor.shape[1], elements: floats)
  }
}
