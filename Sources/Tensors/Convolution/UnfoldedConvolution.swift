/// Convolution as products of matrices: a row for each pixel that is written, of all that it reads.
extension Convolution {
  /// Numbers of a row.
  private var depth: Int { kernelHeight * kernelWidth * inputs }
  private var pixels: Int { outputHeight * outputWidth }

  /// Samples that are unfolded at a time: 4 MB.
  private func chunkSize() -> Int { max(1, (1 << 20) / max(pixels * depth, 1)) }

  private func chunks(of tile: Range<Int>) -> [Range<Int>] {
    let size = chunkSize()
    return Swift.stride(from: tile.lowerBound, to: tile.upperBound, by: size).map {
      $0..<min($0 + size, tile.upperBound)
    }
  }

  /// Where some samples lie, of a size each.
  private func range(_ samples: Range<Int>, _ size: Int) -> Range<Int> {
    samples.lowerBound * size..<samples.upperBound * size
  }

  /// Whether a sample as it lies is its own unfolding.
  private var isPlain: Bool {
    kernelHeight == 1 && kernelWidth == 1 && stride == 1 && padding == 0
  }

  func unfoldedForward(
    _ x: UnsafeBufferPointer<Float>, _ rows: Int, _ weights: UnsafeBufferPointer<Float>,
    _ bias: UnsafeBufferPointer<Float>?, _ isRectified: Bool,
    _ y: UnsafeMutableBufferPointer<Float>, _ threads: Int
  ) {
    let matrix = weightMatrix(weights)
    let bias = bias.map { Array($0) } ?? Array(repeating: 0, count: outputs)
    nonisolated(unsafe) let (x, y) = (x, y)
    let tiles = tiles(of: rows)
    concurrently(tiles.count, threads: threads) { tile in
      var columns = Array.unwritten(isPlain ? 0 : chunkSize() * pixels * depth)
      for chunk in chunks(of: tiles[tile]) {
        let samples = UnsafeBufferPointer(rebasing: x[range(chunk, inputCount)])
        let out = UnsafeMutableBufferPointer(rebasing: y[range(chunk, outputCount)])
        withUnfolded(samples, chunk.count, &columns) { unfolded in
          matrix.withView { matrix in
            let product = MutableMatrixView(out, rows: chunk.count * pixels, columns: outputs)
            multiply(unfolded, matrix, into: product)
            bias.withUnsafeBufferPointer { bias in
              let bias = MatrixView(bias, rows: 1, columns: outputs)
              if isRectified {
                addBiasAndRectify(product, bias: bias)
              } else {
                addBias(product, bias: bias)
              }
            }
          }
        }
      }
    }
  }

  func unfoldedBackwardInputs(
    _ dy: UnsafeBufferPointer<Float>, _ rows: Int, _ weights: UnsafeBufferPointer<Float>,
    _ dx: UnsafeMutableBufferPointer<Float>, _ isAdded: Bool, _ mask: UnsafeBufferPointer<Float>?,
    _ threads: Int
  ) {
    let matrix = weightMatrix(weights)
    nonisolated(unsafe) let (dy, dx, mask) = (dy, dx, mask)
    let tiles = tiles(of: rows)
    concurrently(tiles.count, threads: threads) { tile in
      var columns = Array.unwritten(chunkSize() * pixels * depth)
      for chunk in chunks(of: tiles[tile]) {
        let gradient = UnsafeBufferPointer(rebasing: dy[range(chunk, outputCount)])
        let range = range(chunk, inputCount)
        let out = UnsafeMutableBufferPointer(rebasing: dx[range])
        columns.withUnsafeMutableBufferPointer { columns in
          matrix.withView { matrix in
            multiply(
              MatrixView(gradient, rows: chunk.count * pixels, columns: outputs), matrix.transposed,
              into: MutableMatrixView(columns, rows: chunk.count * pixels, columns: depth))
          }
          if !isAdded { out.update(repeating: 0) }
          fold(UnsafeBufferPointer(columns), chunk.count, into: out)
        }
        if let mask { maskInactive(out, where: UnsafeBufferPointer(rebasing: mask[range])) }
      }
    }
  }

  func unfoldedBackwardWeights(
    _ x: UnsafeBufferPointer<Float>, _ dy: UnsafeBufferPointer<Float>, _ rows: Int,
    _ dw: UnsafeMutableBufferPointer<Float>, _ threads: Int
  ) {
    nonisolated(unsafe) let (x, dy) = (x, dy)
    let tiles = tiles(of: rows)
    let sums = concurrentMap(tiles.count, threads: threads) { tile in
      var columns = Array.unwritten(isPlain ? 0 : chunkSize() * pixels * depth)
      var sum = Matrix(rows: depth, columns: outputs)
      for chunk in chunks(of: tiles[tile]) {
        let samples = UnsafeBufferPointer(rebasing: x[range(chunk, inputCount)])
        let gradient = UnsafeBufferPointer(rebasing: dy[range(chunk, outputCount)])
        withUnfolded(samples, chunk.count, &columns) { unfolded in
          sum.withMutableView { sum in
            multiply(
              unfolded.transposed,
              MatrixView(gradient, rows: chunk.count * pixels, columns: outputs), into: sum, keep: 1
            )
          }
        }
      }
      return sum.elements
    }
    var total = sums[0]
    for sum in sums.dropFirst() { accumulate(sum, into: &total) }
    forEachWeight { place, u, v, c, o in
      dw[place] = total[((u * kernelWidth + v) * inputs + c) * outputs + o]
    }
  }

  /// The weights as a matrix, kernel pixel by kernel pixel and channel by channel × outputs.
  private func weightMatrix(_ weights: UnsafeBufferPointer<Float>) -> Matrix {
    var result = Matrix(rows: depth, columns: outputs)
    result.elements.withUnsafeMutableBufferPointer { result in
      forEachWeight { place, u, v, c, o in
        result[((u * kernelWidth + v) * inputs + c) * outputs + o] = weights[place]
      }
    }
    return result
  }

  private func forEachWeight(_ body: (_ place: Int, _ u: Int, _ v: Int, _ c: Int, _ o: Int) -> Void)
  {
    var place = 0
    for o in 0..<outputs {
      for c in 0..<groupInputs {
        for u in 0..<kernelHeight {
          for v in 0..<kernelWidth {
            body(place, u, v, c, o)
            place += 1
          }
        }
      }
    }
  }

  /// Lends samples unfolded.
  private func withUnfolded(
    _ x: UnsafeBufferPointer<Float>, _ rows: Int, _ columns: inout [Float],
    _ body: (MatrixView) -> Void
  ) {
    guard !isPlain else { return body(MatrixView(x, rows: rows * pixels, columns: depth)) }
    columns.withUnsafeMutableBufferPointer { columns in
      guard let target = columns.baseAddress, let x = x.baseAddress else { return }
      forEachTap(rows) { place, source in
        if let source {
          (target + place).update(from: x + source, count: inputs)
        } else {
          (target + place).update(repeating: 0, count: inputs)
        }
      }
      body(MatrixView(UnsafeBufferPointer(columns), rows: rows * pixels, columns: depth))
    }
  }

  /// Adds unfolded gradients to where they came from.
  private func fold(
    _ columns: UnsafeBufferPointer<Float>, _ rows: Int, into dx: UnsafeMutableBufferPointer<Float>
  ) {
    guard let columns = columns.baseAddress, let dx = dx.baseAddress else { return }
    forEachTap(rows) { place, target in
      guard let target else { return }
      for c in 0..<inputs { dx[target &+ c] += columns[place &+ c] }
    }
  }

  /// Each run of channels of an unfolded matrix, and where it lies in the samples; nil where that is over the edge.
  private func forEachTap(_ rows: Int, _ body: (_ place: Int, _ source: Int?) -> Void) {
    var place = 0
    for row in 0..<rows {
      for i in 0..<outputHeight {
        for j in 0..<outputWidth {
          for u in 0..<kernelHeight {
            let h = i * stride + u * dilation - padding
            for v in 0..<kernelWidth {
              let w = j * stride + v * dilation - padding
              let isInside = h >= 0 && h < height && w >= 0 && w < width
              body(place, isInside ? ((row * height + h) * width + w) * inputs : nil)
              place += inputs
            }
          }
        }
      }
    }
  }
}
