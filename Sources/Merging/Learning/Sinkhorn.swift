import Foundation
import RealModule
import Tensors

/// How logits become a doubly stochastic matrix.
public struct SinkhornSettings: Codable, Equatable, Sendable {
  /// Divides the logits; smaller makes the matrix sharper.
  public var temperature: Float

  /// Added to every exponential, so that no entry dies.
  public var epsilon: Float

  /// The most row and column normalisations of one call.
  public var iterations: Int

  /// Normalising stops once every row sums to 1 within this; columns do to rounding.
  public var tolerance: Float

  /// Settings of the normalisation.
  public init(temperature: Float, epsilon: Float, iterations: Int, tolerance: Float) {
    self.temperature = temperature
    self.epsilon = epsilon
    self.iterations = iterations
    self.tolerance = tolerance
  }
}

/// A doubly stochastic matrix that is learned: P = Sinkhorn(exp(X / τ) + ε).
///
/// The normalisation is kept in scaling form, P = diag(u) K diag(v) with K = exp(X / τ) + ε, so that an
/// iteration is two matrix–vector products (Sinkhorn & Knopp 1967), and starts from the last v, which a
/// small step of X leaves almost right. Each row of K is divided by its largest exponential, which u
/// takes back: no logit overflows.
public struct SoftPermutation: Sendable {
  /// How the matrix follows from the logits; call ``normalize()`` after changing it.
  public var settings: SinkhornSettings

  /// X, n × n; call ``normalize()`` after changing it.
  public var logits: Matrix

  /// P, as of the last ``normalize()``.
  public private(set) var matrix: Matrix

  /// How far from 1 the worst row of ``matrix`` sums.
  public private(set) var marginalError: Float = .infinity

  /// How many iterations the last ``normalize()`` took.
  public private(set) var iterationsUsed = 0

  /// K with each row scaled.
  private var kernel: Matrix
  /// ε as each row of ``kernel`` has it.
  private var scaledEpsilon: [Float]
  /// The factors of rows and of columns, which the next ``normalize()`` starts from.
  private(set) var u: [Float]
  private(set) var v: [Float]

  /// The matrix of some logits, normalised.
  public init(logits: Matrix, settings: SinkhornSettings) {
    precondition(logits.rows == logits.columns, "\(logits.rows) × \(logits.columns) logits")
    let n = logits.rows
    self.settings = settings
    self.logits = logits
    matrix = logits
    kernel = logits
    scaledEpsilon = Array(repeating: 0, count: n)
    u = Array(repeating: 1, count: n)
    v = Array(repeating: 1, count: n)
    normalize()
  }

  public var count: Int { logits.rows }

  /// Goes on from logits and factors that were saved, to the same bits.
  mutating func restore(logits: [Float], u: [Float], v: [Float]) {
    precondition(logits.count == count * count && u.count == count && v.count == count)
    self.logits.elements = logits
    (self.u, self.v) = (u, v)
    exponentiate()
    scale(&matrix.elements, kernel.elements, rows: u, columns: v)
  }

  /// Recomputes ``matrix`` from ``logits``.
  public mutating func normalize() {
    let n = count
    exponentiate()
    // A start left by very different logits could overflow the first sums; ones never do.
    if !v.allSatisfy({ 1e-30 < $0 && $0 < 1e30 }) { v = Array(repeating: 1, count: n) }
    var next = u
    var columnSums = v
    iterationsUsed = 0
    while true {
      marginalError = 0
      sweep(kernel, v, into: &columnSums) { row, sum in
        marginalError = max(marginalError, abs(u[row] * sum - 1))
        next[row] = 1 / sum
        return next[row]
      }
      // The first sweep tells nothing: u is of other logits.
      if iterationsUsed == 0 { marginalError = .infinity }
      if marginalError <= settings.tolerance || iterationsUsed == settings.iterations { break }
      swap(&u, &next)
      for i in 0..<n { v[i] = 1 / columnSums[i] }
      iterationsUsed += 1
    }
    scale(&matrix.elements, kernel.elements, rows: u, columns: v)
  }

  /// K ← exp(X / τ) + ε, each row divided by its own largest term.
  private mutating func exponentiate() {
    let n = count
    let inverse = 1 / settings.temperature
    let logEpsilon = settings.epsilon > 0 ? logf(settings.epsilon) : -.infinity
    logits.elements.withUnsafeBufferPointer { x in
      kernel.elements.withUnsafeMutableBufferPointer { k in
        for row in 0..<n {
          let range = row * n..<(row + 1) * n
          let source = UnsafeBufferPointer(rebasing: x[range])
          let shift = max((source.max() ?? 0) * inverse, logEpsilon)
          scaledEpsilon[row] = settings.epsilon > 0 ? expf(logEpsilon - shift) : 0
          let target = UnsafeMutableBufferPointer(rebasing: k[range])
          exponential(source, scale: inverse, shift: -shift, into: target)
          for i in 0..<n { target[i] += scaledEpsilon[row] }
        }
      }
    }
  }

  /// The gradient of a loss with respect to the logits, from its gradient with respect to P.
  ///
  /// Differentiates the fixed point instead of the iterations (Guerrero Peña et al. 2023). With
  /// G = ∂L/∂P, r and c the row and column sums of G∘P, and a the row sums of P:
  /// (I − Pᵀ diag(1/a) P) β = c − Pᵀ (r/a), α = (r − P β)/a, and
  /// ∂L/∂X = P ∘ (G − α 1ᵀ − 1 βᵀ) ∘ exp(X/τ)/(exp(X/τ) + ε) / τ. The system is positive semidefinite
  /// with the constant vector as its null space; conjugate gradients solve it with one sweep over P a
  /// step.
  ///
  /// - Parameters:
  ///   - gradient: G, n × n.
  ///   - steps: the most steps of conjugate gradients.
  ///   - tolerance: the residual, relative to the right-hand side, that is small enough.
  /// - Returns: ∂L/∂X, n × n. Exact where ``matrix`` is converged and the solver is.
  public func logitGradient(
    of gradient: Matrix, steps: Int = 50, tolerance: Double = 1e-6
  ) -> Matrix {
    let n = count
    precondition(gradient.rows == n && gradient.columns == n)
    var (alpha, right) = productSums(gradient.elements, matrix.elements, n)
    var mass = [Float](repeating: 0, count: n)
    var image = mass
    sweep(matrix, [Float](repeating: 1, count: n), into: &image) { row, sum in
      mass[row] = sum
      alpha[row] /= sum
      return alpha[row]
    }
    for i in 0..<n { right[i] -= image[i] }
    let beta = conjugateGradients(right, steps: steps, tolerance: tolerance) { x, y in
      sweep(matrix, x, into: &y) { row, sum in sum / mass[row] }
      for i in 0..<n { y[i] = x[i] - y[i] }
    }
    sweep(matrix, beta, into: &image) { row, sum in
      alpha[row] -= sum / mass[row]
      return 0
    }
    var result = gradient
    finishGradient(&result.elements, alpha: alpha, beta: beta)
    return result
  }

  /// g ← p (g − α_i − β_j) (1 − ε/k) / τ, element by element.
  private func finishGradient(_ gradient: inout [Float], alpha: [Float], beta: [Float]) {
    let n = count
    let inverse = 1 / settings.temperature
    var g = gradient.mutableSpan
    let (p, k, beta) = (matrix.elements.span, kernel.elements.span, beta.span)
    for row in 0..<n {
      let (alpha, epsilon, start) = (alpha[row], scaledEpsilon[row], row * n)
      for j in 0..<n {
        let i = start + j
        g[i] = p[i] * (g[i] - alpha - beta[j]) * (1 - epsilon / k[i]) * inverse
      }
    }
  }
}
