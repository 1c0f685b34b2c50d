/// Solves A x = b by conjugate gradients for a positive semidefinite A whose null space is the constant
/// vectors (Hestenes & Stiefel 1952); x has mean zero.
///
/// - Parameters:
///   - b: the right-hand side; its mean is taken out.
///   - steps: the most steps.
///   - tolerance: the norm of the residual, relative to that of b, that is small enough.
///   - apply: y ← A x.
/// - Returns: x.
func conjugateGradients(
  _ b: [Float], steps: Int, tolerance: Double,
  apply: (_ x: [Float], _ y: inout [Float]) -> Void
) -> [Float] {
  func dot(_ x: [Float], _ y: [Float]) -> Double {
    zip(x, y).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }
  func center(_ x: inout [Float]) {
    let mean = Float(x.reduce(0) { $0 + Double($1) } / Double(x.count))
    for i in x.indices { x[i] -= mean }
  }
  var residual = b
  center(&residual)
  var x = [Float](repeating: 0, count: b.count)
  var direction = residual
  var image = x
  var square = dot(residual, residual)
  let enough = square * tolerance * tolerance
  for _ in 0..<steps where square > enough {
    apply(direction, &image)
    let curvature = dot(direction, image)
    guard curvature > 0 else { break }
    let length = Float(square / curvature)
    for i in x.indices {
      x[i] += length * direction[i]
      residual[i] -= length * image[i]
    }
    center(&residual)
    let next = dot(residual, residual)
    let ratio = Float(next / square)
    for i in x.indices { direction[i] = residual[i] + ratio * direction[i] }
    square = next
  }
  center(&x)
  return x
}
