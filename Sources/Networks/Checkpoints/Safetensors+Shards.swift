import Foundation

extension Safetensors {
  /// Reads a checkpoint: one safetensors file, or the `….safetensors.index.json` of one that is split over several.
  ///
  /// - Throws: ``CheckpointError`` for what ``init(contentsOf:)`` refuses, an index that is none, and a file that does not hold
  ///   just what the index says.
  public init(checkpoint path: String) throws(CheckpointError) {
    guard path.hasSuffix(".json") else {
      try self.init(contentsOf: path)
      return
    }
    let index: [String: String]
    do {
      let data = try Data(contentsOf: URL(fileURLWithPath: path))
      let top = try JSONSerialization.jsonObject(with: data) as? [String: Any]
      guard let map = top?["weight_map"] as? [String: String], !map.isEmpty else {
        throw CheckpointError(
          path,
          "has no \"weight_map\" from tensors to files, as the index of a split checkpoint has")
      }
      index = map
    } catch let error as CheckpointError {
      throw error
    } catch {
      throw CheckpointError(path, "could not be read as JSON: \(error.localizedDescription)")
    }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    var tensors: [Tensor] = []
    for name in Set(index.values).sorted() {
      guard !name.contains("/"), !name.isEmpty, name != "." else {
        throw CheckpointError(path, "names the file \"\(name)\", expected one beside it")
      }
      let shard = "\(folder)/\(name)"
      let file = try Safetensors(contentsOf: shard)
      for tensor in file.tensors {
        guard index[tensor.name] == name else {
          throw CheckpointError(
            shard,
            "holds the tensor \"\(tensor.name)\", which \(path) "
              + (index[tensor.name].map { "says is in \($0)" } ?? "does not list"))
        }
      }
      tensors += file.tensors
    }
    let found = Set(tensors.map(\.name))
    if let missing = index.keys.sorted().first(where: { !found.contains($0) }) {
      throw CheckpointError(
        path, "says that \"\(missing)\" is in \(index[missing] ?? ""), which does not hold it")
    }
    self.init(tensors: tensors)
  }
}
