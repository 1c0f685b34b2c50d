import RealModule

/// sum ← sum + scale · x, element by element.
public func accumulate(_ x: [Float], scale: Float = 1, into sum: inout [Float]) {
  precondition(x.count == sum.count, "\(x.count) elements added to \(sum.count)")
  x.withUnsafeBufferPointer { x in
    sum.withUnsafeMutableBufferPointer { sum in
      for i in 0..<sum.count { sum[i] = Relaxed.multiplyAdd(x[i], scale, sum[i]) }
    }
  }
}

/// out ← scale · x, element by element.
public func scale(_ x: [Float], by scale: Float, into out: inout [Float]) {
  precondition(x.count == out.count, "\(x.count) elements into \(out.count)")
  var out = out.mutableSpan
  let x = x.span
  for i in out.indices { out[i] = scale * x[i] }
}

/// The mean of arrays of one length, added in the order given.
///
/// The order fixes the bits, so callers pass members by number, never by rank.
public func mean(of arrays: [[Float]]) -> [Float] {
  guard let first = arrays.first else { return [] }
  var sum = [Float](repeating: 0, count: first.count)
  for array in arrays { accumulate(array, into: &sum) }
  let scale = 1 / Float(arrays.count)
  for i in 0..<sum.count { sum[i] *= scale }
  return sum
}

/// (1 − λ) a + λ b, element by element.
public func interpolate(_ a: [Float], _ b: [Float], at lambda: Float) -> [Float] {
  precondition(a.count == b.count, "\(a.count) elements against \(b.count)")
  var result = a
  for i in 0..<result.count { result[i] = (1 - lambda) * a[i] + lambda * b[i] }
  return result
}
