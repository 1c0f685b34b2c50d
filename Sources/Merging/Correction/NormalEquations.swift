import Tensors

/// A ridge regression as sums over samples: what fits a linear layer, and is added up batch by batch or shard by shard.
///
/// Minimises Σ ‖W h + b − t‖² + λ N ‖W‖² over N samples of features h and targets t; the bias is not shrunk:
///
///     [W b]ᵀ = (HᵀH + λ N D)⁻¹ HᵀT,   D = diag(1, …, 1, 0)
///
/// with a row of H the features and a 1. Products of one batch are taken in single precision, and their sum in double.
struct NormalEquations {
  let features: Int
  let targets: Int

  /// HᵀH, (features + 1)², and HᵀT, (features + 1) × targets, row by row.
  private(set) var sums: [Double]

  /// No samples yet.
  init(features: Int, targets: Int) {
    self.init(
      features: features, targets: targets,
      sums: Array(repeating: 0, count: Self.count(features: features, targets: targets)))
  }

  /// Sums that were taken elsewhere.
  init(features: Int, targets: Int, sums: [Double]) {
    precondition(sums.count == Self.count(features: features, targets: targets))
    (self.features, self.targets, self.sums) = (features, targets, sums)
  }

  /// How many numbers the sums have.
  static func count(features: Int, targets: Int) -> Int {
    (features + 1) * (features + 1 + targets)
  }

  /// Adds samples.
  ///
  /// - Parameters:
  ///   - h: rows × features; may be longer.
  ///   - t: rows × targets; may be longer.
  ///   - rows: how many samples.
  ///   - parallelism: how the products use the machine.
  mutating func add(_ h: [Float], _ t: [Float], rows: Int, parallelism: Parallelism) {
    Self.add(h, features, t, targets, rows: rows, parallelism: parallelism, to: &sums)
  }

  /// Adds samples to sums that lie in an array.
  static func add(
    _ h: [Float], _ features: Int, _ t: [Float], _ targets: Int, rows: Int,
    parallelism: Parallelism = .whole, to sums: inout [Double]
  ) {
    let side = features + 1
    addProduct(
      h, features, h, features, rows: rows, parallelism: parallelism, to: &sums, at: 0,
      stride: side)
    if targets > 0 {
      addProduct(
        h, features, t, targets, rows: rows, parallelism: parallelism, to: &sums, at: side * side,
        stride: targets)
    }
    // The column and the row of the ones are sums, and exact in double precision.
    for (feature, sum) in columnSums(h, rows: rows, columns: features).enumerated() {
      sums[feature * side + features] += sum
      sums[features * side + feature] += sum
    }
    sums[side * side - 1] += Double(rows)
    guard targets > 0 else { return }
    for (target, sum) in columnSums(t, rows: rows, columns: targets).enumerated() {
      sums[side * side + features * targets + target] += sum
    }
  }

  /// The layer's weights (targets × features) and biases.
  ///
  /// - Parameter ridge: λ, per sample.
  /// - Returns: the layer of the least sum.
  /// - Throws: ``MergeError`` if the features leave them open, or numbers are infinite.
  func layer(ridge: Double) throws(MergeError) -> (weights: [Float], biases: [Float]) {
    let side = features + 1
    let matrix = shrunk(ridge)
    let solution: [Double]
    do {
      solution = try solvePositiveDefinite(
        matrix, side, Array(sums[(side * side)...]), columns: targets)
    } catch {
      throw MergeError(error.description, isAboutWeights: !sums.allSatisfy(\.isFinite))
    }
    return layer(of: solution)
  }

  /// Weights (targets × features) and biases, of a solution by feature.
  private func layer(of solution: [Double]) -> (weights: [Float], biases: [Float]) {
    var weights: [Float] = []
    for target in 0..<targets {
      for feature in 0..<features { weights.append(Float(solution[feature * targets + target])) }
    }
    return (weights, (0..<targets).map { Float(solution[features * targets + $0]) })
  }

  /// The layer, and L⁻¹ with L Lᵀ = HᵀH + λ N D, by which samples can be left out.
  ///
  /// - Parameter ridge: λ, per sample.
  /// - Returns: (L⁻¹)ᵀ (L⁻¹ HᵀT) as weights and biases, and L⁻¹.
  /// - Throws: ``MergeError`` if λ is too small for the sums' precision, or numbers are infinite.
  func layerAndInverse(
    ridge: Double
  ) throws(MergeError) -> (layer: (weights: [Float], biases: [Float]), inverse: Matrix) {
    let side = features + 1
    let inverse = inverseOfLowerTriangle(try choleskyFactor(shrunk(ridge), side), side)
    var half = [Double](repeating: 0, count: side * targets)
    var solution = half
    inverse.withUnsafeBufferPointer { inverse in
      for i in 0..<side {
        for k in 0...i {
          let factor = inverse[i * side + k]
          for t in 0..<targets {
            half[i * targets + t] += factor * sums[side * side + k * targets + t]
          }
        }
      }
      for k in 0..<side {
        for i in 0...k {
          let factor = inverse[k * side + i]
          for t in 0..<targets { solution[i * targets + t] += factor * half[k * targets + t] }
        }
      }
    }
    guard solution.allSatisfy(\.isFinite) else {
      throw MergeError("the solution has infinite numbers", isAboutWeights: true)
    }
    return (
      layer(of: solution),
      Matrix(rows: side, columns: side, elements: inverse.map { Float($0) })
    )
  }

  /// Cholesky's factor of HᵀH + λ N D.
  ///
  /// - Parameter ridge: λ, per sample.
  /// - Returns: the factor.
  /// - Throws: ``MergeError`` if λ is too small for the sums' precision.
  func factor(ridge: Double) throws(MergeError) -> CholeskyFactor {
    try CholeskyFactor(shrunk(ridge), features + 1)
  }

  /// N.
  var sampleCount: Double { sums[(features + 1) * (features + 1) - 1] }

  /// HᵀH + λ N D.
  private func shrunk(_ ridge: Double) -> [Double] {
    let side = features + 1
    var matrix = Array(sums[..<(side * side)])
    for feature in 0..<features { matrix[feature * side + feature] += ridge * sampleCount }
    return matrix
  }
}
