import Experiments
import Merging
import Networks
import Tensors

/// The kernels one by one: matrix products, Sinkhorn's operator, linear assignment.
struct KernelBenchmark: Measurement {
  let settings: BenchmarkSettings
  private let matrices: [AssignmentMatrix]

  init(_ settings: BenchmarkSettings) throws {
    self.settings = settings
    matrices = AssignmentMatrix.all
    guard let folder = settings.matrixFolder else { return }
    for matrix in matrices { try matrix.write(to: folder) }
  }

  func measure() -> [BenchmarkReport.Row] {
    measureProducts() + measureSinkhorn() + measureAssignment()
  }

  private func isWanted(_ name: String) -> Bool { settings.filter.map(name.contains) ?? true }

  private func measureProducts() -> [BenchmarkReport.Row] {
    let layers = DenseShape.all(of: settings.architecture).flatMap { layer in
      LayerProduct.allCases.map { (product: $0, layer: layer) }
    }
    let makers: [() -> ProductTimer?] =
      [{ ProductTimer("512 × 784 × 512", rows: 512, inner: 784, columns: 512) }]
      + layers.map { item in
        { ProductTimer(item.product, of: item.layer, rows: settings.batchSize) }
      }
    var seen: Set<String> = []
    let tiled = Parallelism.tiled(threads: settings.threads)
    return makers.flatMap { make -> [BenchmarkReport.Row] in
      guard let product = make(), seen.insert(product.name).inserted else { return [] }
      return [(Parallelism.whole, "whole"), (tiled, "tiled on \(settings.threads)")].compactMap {
        let name = "sgemm \(product.name), \($1)"
        guard isWanted(name) else { return nil }
        let parallelism = $0
        return Timing(repeats: settings.repeats) { product.run(parallelism) }
          .row(name, amount: product.operations * 1e-9, unit: "GFLOP/s")
      }
    }
  }

  /// Sinkhorn's operator as learning meets it: every logit has moved by about one step of Adam.
  private func measureSinkhorn() -> [BenchmarkReport.Row] {
    guard isWanted("Sinkhorn") else { return [] }
    let permAVG = PermAVGSettings.thesis
    let n = 512
    var random = RandomStream(seed: 1, "benchmark Sinkhorn")
    func moved(_ matrix: Matrix) -> Matrix {
      var result = matrix
      for i in result.elements.indices {
        result.elements[i] += permAVG.learningRate * random.normal()
      }
      return result
    }
    let places = [moved(.identity(n)), moved(.identity(n))]
    var soft = SoftPermutation(logits: places[0], settings: permAVG.sinkhorn)
    var place = 0
    let normalize = Timing(repeats: settings.repeats) {
      place = 1 - place
      soft.logits = places[place]
      soft.normalize()
    }
    let gradient = moved(Matrix(rows: n, columns: n))
    let backward = Timing(repeats: settings.repeats) { _ = soft.logitGradient(of: gradient) }
    return [
      normalize.row(
        "Sinkhorn normalise, n = \(n)", amount: 1, unit: "matrices/s",
        result: Double(soft.iterationsUsed)),
      backward.row("Sinkhorn gradient, n = \(n)", amount: 1, unit: "matrices/s"),
    ]
  }

  private func measureAssignment() -> [BenchmarkReport.Row] {
    matrices.compactMap { matrix in
      let name = "assignment \(matrix.name)"
      guard isWanted(name) else { return nil }
      let similarity = matrix.similarity
      var objective = 0.0
      let timing = Timing(repeats: settings.repeats) {
        let columns = maximumAssignment(similarity).indices
        objective = columns.enumerated().reduce(0) {
          $0 + Double(similarity[$1.offset, Int($1.element)])
        }
      }
      return timing.row(name, amount: 1, unit: "assignments/s", result: objective)
    }
  }

  var notes: [String] {
    [
      "The result of normalising is how many of Sinkhorn's iterations it took, from the last scaling;"
        + " that of an assignment is the total similarity."
    ]
  }
}
