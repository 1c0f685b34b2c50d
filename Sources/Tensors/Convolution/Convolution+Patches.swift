extension Convolution {
  /// How many numbers an output reads, of a convolution without groups.
  public var patchCount: Int { inputs * kernelHeight * kernelWidth }

  /// How many pixels a sample has that is written.
  public var outputPixels: Int { outputHeight * outputWidth }

  /// What each output pixel reads, as rows of a matrix whose product with the weights is the convolution (im2col).
  ///
  /// - Parameters:
  ///   - x: rows × ``inputCount``.
  ///   - rows: how many samples.
  /// - Returns: rows · ``outputPixels`` × ``patchCount``, the columns in the order of an output's weights; zeros beyond the edge.
  public func patches(_ x: [Float], rows: Int) -> [Float] {
    precondition(groups == 1 && x.count >= rows * inputCount)
    let taps = kernelHeight * kernelWidth
    var result = [Float](repeating: 0, count: rows * outputPixels * patchCount)
    x.withUnsafeBufferPointer { x in
      result.withUnsafeMutableBufferPointer { result in
        var place = 0
        for row in 0..<rows {
          for i in 0..<outputHeight {
            for j in 0..<outputWidth {
              for u in 0..<kernelHeight {
                let h = i * stride + u * dilation - padding
                for v in 0..<kernelWidth {
                  let w = j * stride + v * dilation - padding
                  guard h >= 0, h < height, w >= 0, w < width else { continue }
                  let source = ((row * height + h) * width + w) * inputs
                  let target = place + u * kernelWidth + v
                  for c in 0..<inputs { result[target + c * taps] = x[source + c] }
                }
              }
              place += patchCount
            }
          }
        }
      }
    }
    return result
  }
}
