/// z ← max(z + b, 0), row by row: the bias and the ReLU of a dense layer in one pass.
///
/// - Parameters:
///   - z: rows × width.
///   - bias: 1 × width.
@Sendable public func addBiasAndRectify(_ z: MutableMatrixView, bias: MatrixView) {
  for row in 0..<z.rows {
    let (z, bias, width) = (z.base + row * z.stride, bias.base, bias.columns)
    for i in 0..<width {
      let sum = z[i] + bias[i]
      z[i] = sum > 0 ? sum : 0
    }
  }
}

/// z ← z + b, row by row.
///
/// - Parameters:
///   - z: rows × width.
///   - bias: 1 × width.
@Sendable public func addBias(_ z: MutableMatrixView, bias: MatrixView) {
  for row in 0..<z.rows {
    let (z, bias, width) = (z.base + row * z.stride, bias.base, bias.columns)
    for i in 0..<width { z[i] += bias[i] }
  }
}

/// g ← g where the unit was active (h > 0), 0 elsewhere: the ReLU's backward pass.
///
/// - Parameters:
///   - g: rows × width.
///   - h: rows × width, what the layer put out.
@Sendable public func maskInactive(_ g: MutableMatrixView, activations h: MatrixView) {
  for row in 0..<g.rows {
    let (g, h, width) = (g.base + row * g.stride, h.base + row * h.stride, h.columns)
    for i in 0..<width { g[i] = h[i] > 0 ? g[i] : 0 }
  }
}

/// sums[j] ← Σ_i g[i, j]: the gradient of a bias.
public func sumRows(
  _ g: UnsafeBufferPointer<Float>, rows: Int, into sums: UnsafeMutableBufferPointer<Float>
) {
  let width = sums.count
  for j in 0..<width { sums[j] = 0 }
  for row in 0..<rows {
    let start = row * width
    for j in 0..<width { sums[j] += g[start + j] }
  }
}

/// y[i] ← max(x[i], 0).
public func rectify(_ x: UnsafeBufferPointer<Float>, into y: UnsafeMutableBufferPointer<Float>) {
  for i in 0..<y.count { y[i] = x[i] > 0 ? x[i] : 0 }
}

/// y[i] ← a[i] + b[i].
public func add(
  _ a: UnsafeBufferPointer<Float>, _ b: UnsafeBufferPointer<Float>,
  into y: UnsafeMutableBufferPointer<Float>
) {
  for i in 0..<y.count { y[i] = a[i] + b[i] }
}

/// y[i] ← max(a[i] + b[i], 0).
public func addAndRectify(
  _ a: UnsafeBufferPointer<Float>, _ b: UnsafeBufferPointer<Float>,
  into y: UnsafeMutableBufferPointer<Float>
) {
  for i in 0..<y.count {
    let sum = a[i] + b[i]
    y[i] = sum > 0 ? sum : 0
  }
}

/// g[i] ← g[i] where h[i] > 0, 0 elsewhere: the backward pass of a ReLU.
public func maskInactive(
  _ g: UnsafeMutableBufferPointer<Float>, where h: UnsafeBufferPointer<Float>
) {
  for i in 0..<g.count { g[i] = h[i] > 0 ? g[i] : 0 }
}
