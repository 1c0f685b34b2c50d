/// Convolution without unfolding, from samples with their zeros around them.
extension Convolution {
  /// A sample that is read, with the padding.
  private var inputFrame: Frame {
    Frame(
      height: height, width: width, channels: inputs, above: padding, left: padding,
      paddedHeight: height + 2 * padding, paddedWidth: width + 2 * padding)
  }

  func directForward(
    _ x: UnsafeBufferPointer<Float>, _ rows: Int, _ weights: UnsafeBufferPointer<Float>,
    _ bias: UnsafeBufferPointer<Float>?, _ isRectified: Bool,
    _ y: UnsafeMutableBufferPointer<Float>, _ threads: Int
  ) {
    let sweep = Sweep(
      channels: inputs, outputs: outputs, groups: groups, outputHeight: outputHeight,
      outputWidth: outputWidth, stride: stride, dilation: dilation, kernelHeight: kernelHeight,
      kernelWidth: kernelWidth)
    let packed = sweep.packed { o, c, u, v in
      weights[((o * groupInputs + c) * kernelHeight + u) * kernelWidth + v]
    }
    let shifts = sweep.packedShifts(bias)
    let frame = inputFrame
    nonisolated(unsafe) let (x, y) = (x, y)
    let tiles = tiles(of: rows)
    concurrently(tiles.count, threads: threads) { tile in
      guard let x = x.baseAddress, let y = y.baseAddress else { return }
      var padded = frame.empty
      for row in tiles[tile] {
        frame.withPadded(x + row * inputCount, &padded) { padded in
          sweep.run(
            padded, width: frame.paddedWidth, packed, shifts: shifts, isAdded: false,
            isRectified: isRectified, into: y + row * outputCount)
        }
      }
    }
  }

  /// The gradient at the inputs is a convolution of that at the outputs, spread out by the stride, with the kernel turned round.
  func directBackwardInputs(
    _ dy: UnsafeBufferPointer<Float>, _ rows: Int, _ weights: UnsafeBufferPointer<Float>,
    _ dx: UnsafeMutableBufferPointer<Float>, _ isAdded: Bool, _ mask: UnsafeBufferPointer<Float>?,
    _ threads: Int
  ) {
    let sweep = Sweep(
      channels: outputs, outputs: inputs, groups: groups, outputHeight: height, outputWidth: width,
      stride: 1, dilation: dilation, kernelHeight: kernelHeight, kernelWidth: kernelWidth)
    let packed = sweep.packed { o, c, u, v in
      // o is an input channel of all, c an output channel of its group.
      let output = o / groupInputs * groupOutputs + c
      return weights[
        ((output * groupInputs + o % groupInputs) * kernelHeight + kernelHeight - 1 - u)
          * kernelWidth + kernelWidth - 1 - v]
    }
    let frame = Frame(
      height: outputHeight, width: outputWidth, channels: outputs, above: reachHeight - padding,
      left: reachWidth - padding, paddedHeight: height + reachHeight,
      paddedWidth: width + reachWidth, spread: stride)
    nonisolated(unsafe) let (dy, dx, mask) = (dy, dx, mask)
    let tiles = tiles(of: rows)
    concurrently(tiles.count, threads: threads) { tile in
      guard let dy = dy.baseAddress, let out = dx.baseAddress else { return }
      var padded = frame.empty
      for row in tiles[tile] {
        let out = out + row * inputCount
        frame.withPadded(dy + row * outputCount, &padded) { padded in
          sweep.run(
            padded, width: frame.paddedWidth, packed, shifts: nil, isAdded: isAdded,
            isRectified: false, into: out)
        }
        if let mask {
          let range = row * inputCount..<(row + 1) * inputCount
          maskInactive(
            UnsafeMutableBufferPointer(rebasing: dx[range]),
            where: UnsafeBufferPointer(rebasing: mask[range]))
        }
      }
    }
  }

  func directBackwardWeights(
    _ x: UnsafeBufferPointer<Float>, _ dy: UnsafeBufferPointer<Float>, _ rows: Int,
    _ dw: UnsafeMutableBufferPointer<Float>, _ threads: Int
  ) {
    let frame = inputFrame
    let sums = WeightSums(self, paddedWidth: frame.paddedWidth)
    nonisolated(unsafe) let (x, dy) = (x, dy)
    let tiles = tiles(of: rows)
    let parts = concurrentMap(tiles.count, threads: threads) { tile in
      var sum = [Float](repeating: 0, count: sums.count)
      guard let x = x.baseAddress, let dy = dy.baseAddress else { return sum }
      // As many samples at a time as the second cache holds.
      let chunk = max(1, (1 << 16) / (frame.count + sums.gradientCount))
      var padded = [Float](repeating: 0, count: chunk * frame.count)
      var gradients = Array.unwritten(chunk * sums.gradientCount, spare: registerFloats)
      for start in Swift.stride(from: tiles[tile].lowerBound, to: tiles[tile].upperBound, by: chunk)
      {
        let end = min(start + chunk, tiles[tile].upperBound)
        padded.withUnsafeMutableBufferPointer { padded in
          gradients.withUnsafeMutableBufferPointer { gradients in
            guard let padded = padded.baseAddress, let gradients = gradients.baseAddress else {
              return
            }
            for row in start..<end {
              frame.copy(x + row * inputCount, to: padded + (row - start) * frame.count)
              sums.copy(dy + row * outputCount, to: gradients + (row - start) * sums.gradientCount)
            }
            sum.withUnsafeMutableBufferPointer { sum in
              guard let sum = sum.baseAddress else { return }
              sums.add(padded, gradients, samples: end - start, frame.count, to: sum)
            }
          }
        }
      }
      return sum
    }
    var total = parts[0]
    for part in parts.dropFirst() { accumulate(part, into: &total) }
    sums.unpack(total, into: dw)
  }
}

/// A sample with zeros around it, and between its pixels.
private struct Frame: Sendable {
  let height: Int
  let width: Int
  let channels: Int
  let above: Int
  let left: Int
  let paddedHeight: Int
  let paddedWidth: Int
  var spread = 1

  var count: Int { paddedHeight * paddedWidth * channels }

  /// Room for one; nothing where a sample is as it should be.
  var empty: [Float] { isPlain ? [] : Array(repeating: 0, count: count) }

  private var isPlain: Bool { paddedHeight == height && paddedWidth == width && spread == 1 }

  /// Lends a sample with its zeros; `padded` holds them already.
  func withPadded(
    _ x: UnsafePointer<Float>, _ padded: inout [Float], _ body: (UnsafePointer<Float>) -> Void
  ) {
    guard !isPlain else { return body(x) }
    padded.withUnsafeMutableBufferPointer { padded in
      guard let padded = padded.baseAddress else { return }
      copy(x, to: padded)
      body(padded)
    }
  }

  /// Puts a sample between its zeros.
  func copy(_ x: UnsafePointer<Float>, to padded: UnsafeMutablePointer<Float>) {
    for i in 0..<height {
      let target = padded + ((above + i * spread) * paddedWidth + left) * channels
      let source = x + i * width * channels
      if spread == 1 {
        target.update(from: source, count: width * channels)
      } else {
        for j in 0..<width {
          (target + j * spread * channels).update(from: source + j * channels, count: channels)
        }
      }
    }
  }
}
