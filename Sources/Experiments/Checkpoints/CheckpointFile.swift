import Datasets
import Networks
import Tensors

/// A network out of a checkpoint from anywhere, and what its file says about it.
struct CheckpointFile {
  let path: String
  let network: Network

  /// What the file calls the network's tensors, in the order of the graph's.
  let tensorNames: [String]

  /// How the file keeps them, which a network merged into its place keeps.
  let form: CheckpointForm

  /// How the network's inputs are made, if the file says.
  let normalization: Normalization?

  /// Reads a checkpoint.
  ///
  /// - Throws: `CheckpointError` for a file that is no network.
  init(_ path: String) throws(CheckpointError) { try self.init(path, as: CheckpointLayout()) }

  /// Reads a checkpoint of a network that is described elsewhere, where its file does not say what it is.
  ///
  /// - Throws: `CheckpointError` for a file that is no network, or not the one that is described.
  init(_ path: String, as layout: CheckpointLayout) throws(CheckpointError) {
    let file = try Safetensors(checkpoint: path)
    self.path = path
    let loaded: LoadedNetwork
    if let exported = layout.exported {
      loaded = try LoadedNetwork(file, path: path, exported: exported)
    } else {
      loaded = try LoadedNetwork(file, path: path, order: layout.order)
    }
    network = loaded.network
    tensorNames = loaded.tensorNames
    form = loaded.form
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

/// What is known of checkpoints' networks besides their files.
struct CheckpointLayout {
  /// The graph that PyTorch's exporter sees.
  var exported: Graph?

  /// The dense layers in their order, by name.
  var order: [String]?

  /// What is known of networks if nothing is said.
  init() {}

  /// Reads what the user names.
  ///
  /// - Parameters:
  ///   - graph: the path of an exported graph; nil for none.
  ///   - layers: the dense layers in their order; nil for none.
  /// - Throws: `CheckpointError` naming the file, if it is no exported graph.
  init(graph: String?, layers: [String]?) throws(CheckpointError) {
    order = layers
    guard let graph else { return }
    do {
      exported = try Graph(ExportedGraph(contentsOf: graph))
    } catch let error as CheckpointError {
      throw error
    } catch {
      throw CheckpointError(graph, "\(error)")
    }
  }
}
