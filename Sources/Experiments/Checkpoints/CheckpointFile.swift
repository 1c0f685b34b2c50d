import Datasets
import Networks
import Tensors

/// A network out of a checkpoint from anywhere, and what its file says about it.
struct CheckpointFile {
  let path: String
  let network: Network

  /// What the file calls the network's tensors, in the order of the graph's.
  let tensorNames: [String]

  /// How the network's inputs are made, if the file says.
  let normalization: Normalization?

  /// Reads a checkpoint.
  ///
  /// - Throws: `CheckpointError` for a file that is no network.
  init(_ path: String) throws(CheckpointError) {
    let file = try Safetensors(contentsOf: path)
    self.path = path
    let loaded = try LoadedNetwork(file, path: path)
    network = loaded.network
    tensorNames = loaded.tensorNames
    guard let text = file.metadata["normalization"] else {
      normalization = nil
      return
    }
    guard let normalization = Normalization(text) else {
      throw CheckpointError(
        path, "its metadata gives the normalization \"\(text)\", expected MEAN,DEVIATION")
    }
    self.normalization = normalization
  }

  /// Checks that the network fits a data set.
  ///
  /// - Throws: `CheckpointError` naming both.
  func requireFit(_ data: Dataset, _ name: DatasetName) throws(CheckpointError) {
    let shape = network.graph
    guard shape.inputs == data.features, shape.outputs == data.classes else {
      throw CheckpointError(
        path,
        "is of architecture \(shape); \(name.rawValue) has \(data.features) inputs and"
          + " \(data.classes) classes")
    }
  }
}
