import RealModule

/// out ← Σ_k w_k x_k, where x_k is one of several blocks of a buffer.
///
/// - Parameters:
///   - terms: which blocks, at least one, and their weights; added in this order.
///   - blocks: blocks of `out.count` elements one after another.
///   - out: overwritten.
public func weightedSum(
  _ terms: [(block: Int, weight: Float)], of blocks: UnsafeBufferPointer<Float>,
  into out: UnsafeMutableBufferPointer<Float>
) {
  let count = out.count
  precondition(!terms.isEmpty && terms.allSatisfy { ($0.block + 1) * count <= blocks.count })
  guard let out = out.baseAddress, let blocks = blocks.baseAddress else { return }
  // So few at a time that they stay in the first cache from one term to the next.
  for start in stride(from: 0, to: count, by: 2048) {
    let (sum, length) = (out + start, min(2048, count - start))
    for (place, term) in terms.enumerated() {
      let (x, weight) = (blocks + term.block * count + start, term.weight)
      if place == 0 {
        for i in 0..<length { sum[i] = weight * x[i] }
      } else {
        for i in 0..<length { sum[i] = Relaxed.multiplyAdd(x[i], weight, sum[i]) }
      }
    }
  }
}

/// out[row, i] ← x[row, order[i]].
///
/// - Parameters:
///   - x: rows × `order.count`.
///   - order: columns of x.
///   - out: as large as x, overwritten.
public func reorderColumns(
  of x: UnsafeBufferPointer<Float>, by order: [Int], into out: UnsafeMutableBufferPointer<Float>
) {
  let width = order.count
  precondition(
    x.count == out.count && x.count.isMultiple(of: width)
      && order.allSatisfy { 0 <= $0 && $0 < width })
  guard let x = x.baseAddress, let base = out.baseAddress else { return }
  order.withUnsafeBufferPointer { order in
    for row in stride(from: 0, to: out.count, by: width) {
      for i in 0..<width { base[row + i] = x[row + order[i]] }
    }
  }
}
