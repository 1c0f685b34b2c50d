import Tensors
import TestSupport
import Testing

/// Convolutions against the definition, in double precision.
@Suite struct ConvolutionTests {
  /// A convolution of random numbers, with what the definition makes of them.
  private struct Case {
    let convolution: Convolution
    let rows: Int
    let (x, weights, bias, dy): ([Float], [Float], [Float], [Float])
    let y: [Double]
    let dx: [Double]
    let dw: [Double]

    init(_ c: Convolution, rows: Int) {
      convolution = c
      self.rows = rows
      x = normals(rows * c.inputCount, seed: 1)
      weights = normals(c.weightCount, seed: 2)
      bias = normals(c.outputs, seed: 3)
      dy = normals(rows * c.outputCount, seed: 4)
      let (x, weights, dy) = (
        x.map { Double($0) }, weights.map { Double($0) }, dy.map { Double($0) }
      )
      var y = (0..<rows * c.outputCount).map { [bias] in Double(bias[$0 % c.outputs]) }
      var dx = [Double](repeating: 0, count: rows * c.inputCount)
      var dw = [Double](repeating: 0, count: c.weightCount)
      let (inputs, outputs) = (c.inputs / c.groups, c.outputs / c.groups)
      let taps = c.kernelHeight * c.kernelWidth
      for row in 0..<rows {
        for pixel in 0..<c.outputHeight * c.outputWidth {
          for tap in 0..<taps {
            let h =
              pixel / c.outputWidth * c.stride + tap / c.kernelWidth * c.dilation - c.padding
            let w =
              pixel % c.outputWidth * c.stride + tap % c.kernelWidth * c.dilation - c.padding
            guard (0..<c.height).contains(h), (0..<c.width).contains(w) else { continue }
            let start = ((row * c.height + h) * c.width + w) * c.inputs
            for o in 0..<c.outputs {
              let out = (row * c.outputHeight * c.outputWidth + pixel) * c.outputs + o
              let gradient = dy[out]
              var sum = 0.0
              for channel in 0..<inputs {
                let input = start + o / outputs * inputs + channel
                let weight = (o * inputs + channel) * taps + tap
                sum += x[input] * weights[weight]
                dx[input] += gradient * weights[weight]
                dw[weight] += gradient * x[input]
              }
              y[out] += sum
            }
          }
        }
      }
      (self.y, self.dx, self.dw) = (y, dx, dw)
    }

    func forward(isRectified: Bool = false, hasBias: Bool = true, threads: Int = 1) -> [Float] {
      var result = [Float](repeating: .nan, count: rows * convolution.outputCount)
      result.withUnsafeMutableBufferPointer { result in
        x.withUnsafeBufferPointer { x in
          weights.withUnsafeBufferPointer { weights in
            bias.withUnsafeBufferPointer { bias in
              convolution.forward(
                x, rows: rows, weights: weights, bias: hasBias ? bias : nil,
                isRectified: isRectified, into: result, threads: threads)
            }
          }
        }
      }
      return result
    }

    func backwardInputs(from start: [Float]? = nil, isMasked: Bool = false, threads: Int = 1)
      -> [Float]
    {
      var result = start ?? Array(repeating: .nan, count: rows * convolution.inputCount)
      result.withUnsafeMutableBufferPointer { result in
        dy.withUnsafeBufferPointer { dy in
          weights.withUnsafeBufferPointer { weights in
            x.withUnsafeBufferPointer { x in
              convolution.backwardInputs(
                dy, rows: rows, weights: weights, into: result, isAdded: start != nil,
                mask: isMasked ? x : nil, threads: threads)
            }
          }
        }
      }
      return result
    }

    func backwardWeights(threads: Int = 1) -> [Float] {
      var result = [Float](repeating: .nan, count: convolution.weightCount)
      result.withUnsafeMutableBufferPointer { result in
        x.withUnsafeBufferPointer { x in
          dy.withUnsafeBufferPointer { dy in
            convolution.backwardWeights(x, dy, rows: rows, into: result, threads: threads)
          }
        }
      }
      return result
    }
  }

  private func expectClose(
    _ found: [Float], _ expected: [Double], _ what: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let size = expected.map(abs).max() ?? 0
    let difference = zip(found, expected).reduce(0.0) {
      let own = abs(Double($1.0) - $1.1)
      return own.isNaN ? .infinity : max($0, own)
    }
    #expect(
      found.count == expected.count && difference < 4e-6 * size, "\(what): \(difference / size)",
      sourceLocation: sourceLocation)
  }

  static let convolutions: [Convolution] = [
    Convolution(inputs: 16, outputs: 16, height: 14, width: 28, kernel: (3, 3), padding: 1),
    Convolution(inputs: 1, outputs: 16, height: 12, width: 13, kernel: (3, 3), padding: 1),
    Convolution(inputs: 3, outputs: 6, height: 11, width: 9, kernel: (5, 5)),
    Convolution(inputs: 6, outputs: 16, height: 14, width: 14, kernel: (5, 5), padding: 2),
    Convolution(inputs: 20, outputs: 37, height: 7, width: 7, kernel: (3, 3), padding: 1),
    Convolution(
      inputs: 16, outputs: 32, height: 14, width: 15, kernel: (3, 3), stride: 2, padding: 1),
    Convolution(inputs: 16, outputs: 32, height: 15, width: 14, kernel: (1, 1), stride: 2),
    Convolution(inputs: 9, outputs: 5, height: 9, width: 10, kernel: (3, 2), stride: 3, padding: 1),
    Convolution(
      inputs: 8, outputs: 8, height: 13, width: 12, kernel: (3, 3), padding: 2, dilation: 2),
    Convolution(
      inputs: 12, outputs: 18, height: 8, width: 9, kernel: (3, 3), padding: 1, groups: 3),
    Convolution(
      inputs: 10, outputs: 10, height: 9, width: 8, kernel: (3, 3), stride: 2, padding: 1,
      groups: 10),
    // Unfolded.
    Convolution(inputs: 24, outputs: 40, height: 2, width: 2, kernel: (3, 3), padding: 1),
    Convolution(
      inputs: 24, outputs: 40, height: 4, width: 6, kernel: (3, 3), stride: 2, padding: 1),
    Convolution(inputs: 130, outputs: 12, height: 5, width: 6, kernel: (1, 1)),
    Convolution(inputs: 7, outputs: 5, height: 1, width: 1, kernel: (1, 1)),
  ]

  @Test(arguments: convolutions, [1, 17])
  func `all three passes are what the definition says`(convolution: Convolution, rows: Int) {
    let own = Case(convolution, rows: rows)
    expectClose(own.forward(), own.y, "forward")
    let withoutBias = own.y.indices.map { own.y[$0] - Double(own.bias[$0 % convolution.outputs]) }
    expectClose(own.forward(hasBias: false), withoutBias, "without bias")
    expectClose(own.forward(isRectified: true), own.y.map { max($0, 0) }, "rectified")
    expectClose(own.backwardInputs(), own.dx, "inputs")
    let start = normals(own.dx.count, seed: 9)
    let added = zip(own.dx, start).map { $0 + Double($1) }
    expectClose(own.backwardInputs(from: start), added, "added")
    let masked = zip(added, own.x).map { $1 > 0 ? $0 : 0 }
    expectClose(own.backwardInputs(from: start, isMasked: true), masked, "masked")
    expectClose(own.backwardWeights(), own.dw, "weights")
  }

  @Test(arguments: [convolutions[0], convolutions[3], convolutions[11], convolutions[13]])
  func `the bits do not depend on threads`(convolution: Convolution) {
    let own = Case(convolution, rows: 70)
    for threads in [2, 3] {
      #expect(own.forward(threads: threads) == own.forward())
      #expect(own.backwardInputs(threads: threads) == own.backwardInputs())
      #expect(own.backwardWeights(threads: threads) == own.backwardWeights())
    }
  }
}
