import RealModule

/// z ← max(z + b, 0), row by row: the bias and the ReLU of a dense layer in one pass.
///
/// - Parameters:
///   - z: rows × width.
///   - bias: width elements.
///   - rows: how many rows.
func addBiasAndRectify(
  _ z: UnsafeMutableBufferPointer<Float>, bias: UnsafeBufferPointer<Float>, rows: Int
) {
  let width = bias.count
  for row in 0..<rows {
    let start = row * width
    for i in 0..<width {
      let sum = z[start + i] + bias[i]
      z[start + i] = sum > 0 ? sum : 0
    }
  }
}

/// z ← z + b, row by row.
func addBias(
  _ z: UnsafeMutableBufferPointer<Float>, bias: UnsafeBufferPointer<Float>, rows: Int
) {
  let width = bias.count
  for row in 0..<rows {
    let start = row * width
    for i in 0..<width { z[start + i] += bias[i] }
  }
}

/// g ← g where the unit was active (h > 0), 0 elsewhere: the ReLU's backward pass.
func maskInactive(
  _ g: UnsafeMutableBufferPointer<Float>, activations h: UnsafeBufferPointer<Float>, count: Int
) {
  for i in 0..<count { g[i] = h[i] > 0 ? g[i] : 0 }
}

/// sums[j] ← Σ_i g[i, j]: the gradient of a bias.
func sumRows(
  _ g: UnsafeBufferPointer<Float>, rows: Int, into sums: UnsafeMutableBufferPointer<Float>
) {
  let width = sums.count
  for j in 0..<width { sums[j] = 0 }
  for row in 0..<rows {
    let start = row * width
    for j in 0..<width { sums[j] += g[start + j] }
  }
}
