import Networks

/// A layer fitted by ridge regression: sums over samples that are added batch by batch, and the layer that they give.
///
/// Minimises Σ ‖W h + b − t‖² + λ N ‖W‖² over N samples of features h and targets t; the bias is not shrunk.
/// Products are of one batch in single precision, and their sum in double.
struct LinearFit {
  let features: Int
  let targets: Int
  private var count = 0
  private var featureSums: [Double]
  private var targetSums: [Double]
  /// Σ h hᵀ.
  private var gram: [Double]
  /// Σ h tᵀ.
  private var cross: [Double]

  init(features: Int, targets: Int) {
    (self.features, self.targets) = (features, targets)
    featureSums = Array(repeating: 0, count: features)
    targetSums = Array(repeating: 0, count: targets)
    gram = Array(repeating: 0, count: features * features)
    cross = Array(repeating: 0, count: features * targets)
  }

  /// Adds samples: h of rows × features and t of rows × targets.
  mutating func add(_ h: Matrix, _ t: Matrix, threads: Int) {
    precondition(h.columns == features && t.columns == targets && h.rows == t.rows)
    count += h.rows
    addRows(of: h, to: &featureSums)
    addRows(of: t, to: &targetSums)
    add(product(h, h, threads: threads), to: &gram)
    add(product(h, t, threads: threads), to: &cross)
  }

  /// The layer's parameters, weights (targets × features) and then biases.
  ///
  /// - Parameter ridge: λ, per sample.
  /// - Returns: the parameters.
  /// - Throws: ``MergeError`` if the features leave them open.
  func parameters(ridge: Double) throws(MergeError) -> [Float] {
    let n = Double(max(count, 1))
    // Less the means, which the bias takes care of.
    var (gram, cross) = (gram, cross)
    for i in 0..<features {
      let mean = featureSums[i] / n
      for j in 0..<features { gram[i * features + j] -= mean * featureSums[j] }
      for j in 0..<targets { cross[i * targets + j] -= mean * targetSums[j] }
      gram[i * features + i] += ridge * n
    }
    let weights = try solvePositiveDefinite(gram, features, cross, columns: targets)
    var result: [Float] = []
    for target in 0..<targets {
      for feature in 0..<features { result.append(Float(weights[feature * targets + target])) }
    }
    for target in 0..<targets {
      let products = (0..<features).map { weights[$0 * targets + target] * featureSums[$0] }
      result.append(Float((targetSums[target] - products.reduce(0, +)) / n))
    }
    return result
  }

  /// Aᵀ B.
  private func product(_ a: Matrix, _ b: Matrix, threads: Int) -> Matrix {
    var result = Matrix(rows: a.columns, columns: b.columns)
    result.withMutableView { result in
      a.withView { a in
        b.withView {
          multiply(a.transposed, $0, into: result, parallelism: .tiled(threads: threads))
        }
      }
    }
    return result
  }

  private func add(_ matrix: Matrix, to sum: inout [Double]) {
    for i in sum.indices { sum[i] += Double(matrix.elements[i]) }
  }

  private func addRows(of matrix: Matrix, to sums: inout [Double]) {
    for row in 0..<matrix.rows {
      for column in sums.indices { sums[column] += Double(matrix[row, column]) }
    }
  }
}
