import RealModule

/// y = gain ∘ (x − μ)/√(σ² + ε) + shift, with μ and σ² of each row.
///
/// - Parameters:
///   - x: rows × width.
///   - rows: how many.
///   - gain: width.
///   - shift: width.
///   - epsilon: ε.
///   - y: rows × width, overwritten.
///   - statistics: μ and 1/√(σ² + ε) of each row, written for the backward pass; may be empty.
public func normalizeRows(
  _ x: UnsafeBufferPointer<Float>, rows: Int, gain: UnsafeBufferPointer<Float>,
  shift: UnsafeBufferPointer<Float>, epsilon: Float, into y: UnsafeMutableBufferPointer<Float>,
  statistics: UnsafeMutableBufferPointer<Float>
) {
  let width = gain.count
  let scale = 1 / Float(width)
  for row in 0..<rows {
    let x = UnsafeBufferPointer(rebasing: x[row * width..<(row + 1) * width])
    let y = UnsafeMutableBufferPointer(rebasing: y[row * width..<(row + 1) * width])
    var sum: Float = 0
    for i in 0..<width { sum = Relaxed.sum(sum, x[i]) }
    let mean = sum * scale
    var squares: Float = 0
    for i in 0..<width {
      let centered = x[i] - mean
      squares = Relaxed.multiplyAdd(centered, centered, squares)
    }
    let inverse = 1 / (squares * scale + epsilon).squareRoot()
    for i in 0..<width {
      y[i] = Relaxed.multiplyAdd((x[i] - mean) * inverse, gain[i], shift[i])
    }
    guard !statistics.isEmpty else { continue }
    statistics[2 * row] = mean
    statistics[2 * row + 1] = inverse
  }
}

/// The gradients of ``normalizeRows(_:rows:gain:shift:epsilon:into:statistics:)``.
///
/// With x̂ = (x − μ)/s and d = ∂y ∘ gain of a row: ∂x = (d − mean(d) − x̂ mean(d ∘ x̂))/s, ∂gain = Σ ∂y ∘ x̂, ∂shift = Σ ∂y.
///
/// - Parameters:
///   - x: as the forward pass had it.
///   - rows: how many.
///   - gain: as the forward pass had it.
///   - statistics: as the forward pass wrote them.
///   - outputGradient: ∂y, rows × width.
///   - gainGradient: overwritten.
///   - shiftGradient: overwritten.
///   - inputGradient: rows × width; nil where nobody needs it.
///   - isAdded: whether it is added to, not overwritten.
public func normalizeRowsBackward(
  _ x: UnsafeBufferPointer<Float>, rows: Int, gain: UnsafeBufferPointer<Float>,
  statistics: UnsafeBufferPointer<Float>, outputGradient: UnsafeBufferPointer<Float>,
  gainGradient: UnsafeMutableBufferPointer<Float>, shiftGradient: UnsafeMutableBufferPointer<Float>,
  inputGradient: UnsafeMutableBufferPointer<Float>?, isAdded: Bool
) {
  let width = gain.count
  let scale = 1 / Float(width)
  gainGradient.update(repeating: 0)
  shiftGradient.update(repeating: 0)
  for row in 0..<rows {
    let range = row * width..<(row + 1) * width
    let x = UnsafeBufferPointer(rebasing: x[range])
    let g = UnsafeBufferPointer(rebasing: outputGradient[range])
    let (mean, inverse) = (statistics[2 * row], statistics[2 * row + 1])
    var (sum, product): (Float, Float) = (0, 0)
    for i in 0..<width {
      let normalized = (x[i] - mean) * inverse
      gainGradient[i] = Relaxed.multiplyAdd(g[i], normalized, gainGradient[i])
      shiftGradient[i] += g[i]
      let d = g[i] * gain[i]
      sum = Relaxed.sum(sum, d)
      product = Relaxed.multiplyAdd(d, normalized, product)
    }
    guard let inputGradient else { continue }
    let out = UnsafeMutableBufferPointer(rebasing: inputGradient[range])
    let (meanGradient, meanProduct) = (sum * scale, product * scale)
    for i in 0..<width {
      let normalized = (x[i] - mean) * inverse
      let value = (g[i] * gain[i] - meanGradient - normalized * meanProduct) * inverse
      out[i] = isAdded ? out[i] + value : value
    }
  }
}
