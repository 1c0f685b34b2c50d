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

/// sum ← sum + scale · x over the first elements of x.
public func accumulate(_ x: [Float], count: Int, scale: Float, into sum: inout [Float]) {
  precondition(x.count >= count && sum.count == count, "\(x.count) elements added to \(sum.count)")
  x.withUnsafeBufferPointer { x in
    sum.withUnsafeMutableBufferPointer { sum in
      for i in 0..<count { sum[i] = Relaxed.multiplyAdd(x[i], scale, sum[i]) }
    }
  }
}

/// out ← scale · x over the first elements of x.
public func scale(_ x: [Float], count: Int, by scale: Float, into out: inout [Float]) {
  precondition(x.count >= count && out.count == count, "\(x.count) elements into \(out.count)")
  x.withUnsafeBufferPointer { x in
    out.withUnsafeMutableBufferPointer { out in
      for i in 0..<count { out[i] = scale * x[i] }
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
  // Numbers near the largest float: their sum is infinite, their mean need not be.
  for i in 0..<sum.count where !sum[i].isFinite {
    sum[i] = arrays.reduce(0) { $0 + $1[i] * scale }
  }
  return sum
}

/// (1 − λ) a + λ b, element by element.
public func interpolate(_ a: [Float], _ b: [Float], at lambda: Float) -> [Float] {
  precondition(a.count == b.count, "\(a.count) elements against \(b.count)")
  var result = a
  for i in 0..<result.count { result[i] = (1 - lambda) * a[i] + lambda * b[i] }
  return result
}

/// ⟨a, b⟩ in double precision.
public func dot(_ a: [Float], _ b: [Float]) -> Double {
  precondition(a.count == b.count, "\(a.count) elements times \(b.count)")
  return a.withUnsafeBufferPointer { a in
    b.withUnsafeBufferPointer { b in
      var sum = 0.0
      for i in 0..<a.count { sum = Relaxed.multiplyAdd(Double(a[i]), Double(b[i]), sum) }
      return sum
    }
  }
}
