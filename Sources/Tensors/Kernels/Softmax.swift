import Foundation
import RealModule

/// Writes softmax(z / T) of one row and returns log Σ exp(z / T).
///
/// The largest logit is subtracted first, so no logit overflows.
@inline(__always)
public func softmaxRow(
  _ z: UnsafePointer<Float>, classes: Int, inverseTemperature: Float,
  into p: UnsafeMutablePointer<Float>
) -> Float {
  var largest = z[0]
  for c in 1..<max(classes, 1) { largest = z[c] > largest ? z[c] : largest }
  var sum: Float = 0
  for c in 0..<classes {
    let e = fastExponential((z[c] - largest) * inverseTemperature)
    p[c] = e
    sum += e
  }
  let scale = 1 / sum
  for c in 0..<classes { p[c] *= scale }
  return largest * inverseTemperature + logf(sum)
}

/// softmax(logits / temperature), row by row.
///
/// - Parameters:
///   - logits: rows × classes.
///   - classes: how many logits a row has.
///   - temperature: above 1 flattens the distribution, below 1 sharpens it.
/// - Returns: rows × classes probabilities; every row sums to 1.
public func softmax(_ logits: [Float], classes: Int, temperature: Float = 1) -> [Float] {
  precondition(logits.count % classes == 0, "\(logits.count) logits of \(classes) classes")
  var probabilities = [Float](repeating: 0, count: logits.count)
  logits.withUnsafeBufferPointer { z in
    probabilities.withUnsafeMutableBufferPointer { p in
      guard let z = z.baseAddress, let p = p.baseAddress else { return }
      for start in stride(from: 0, to: logits.count, by: classes) {
        _ = softmaxRow(
          z + start, classes: classes, inverseTemperature: 1 / temperature, into: p + start)
      }
    }
  }
  return probabilities
}
