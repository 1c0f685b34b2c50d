/// A convolution in two dimensions: its shapes, and what it computes from batches whose channels lie last.
///
///     y[n, i, j, o] = b[o] + Σ x[n, s i + d u − p, s j + d v − p, c] · w[o, c, u, v]
///
/// over the channels c of o's group and the kernel's u and v, with stride s, dilation d and padding p. Samples lie as height ×
/// width × channels; weights as PyTorch has them, outputs × channels of a group × height × width.
///
/// Two ways lead there. **Directly**: sums of eight pixels and of a register's width of output channels are kept in registers
/// (`PixelPack`), over a copy of a sample that has its zeros around it; on a core with AVX-512 that reaches nine tenths of its
/// multipliers' peak, without a word of memory for unfolding. **Unfolded** (im2col) into a matrix product: where maps are so
/// small that weights would be read for each pixel or two.
///
/// Samples are shared out to threads in tiles of a size that depends on the shapes alone, and sums over tiles are taken in their
/// order: the bits do not depend on the number of threads.
public struct Convolution: Sendable, Equatable {
  public let inputs: Int
  public let outputs: Int
  public let height: Int
  public let width: Int
  public let kernelHeight: Int
  public let kernelWidth: Int
  public let stride: Int
  public let padding: Int
  public let dilation: Int
  public let groups: Int

  /// A convolution; shapes that leave no output, or groups that do not divide channels, are a precondition failure.
  ///
  /// - Parameters:
  ///   - inputs: channels that are read.
  ///   - outputs: channels that are written.
  ///   - height: of a sample that is read.
  ///   - width: of a sample that is read.
  ///   - kernel: height and width of the kernel.
  ///   - stride: s.
  ///   - padding: p, at most what the kernel reaches over the edge.
  ///   - dilation: d.
  ///   - groups: how many groups of channels there are; each output reads its own group alone.
  public init(
    inputs: Int, outputs: Int, height: Int, width: Int, kernel: (height: Int, width: Int),
    stride: Int = 1, padding: Int = 0, dilation: Int = 1, groups: Int = 1
  ) {
    precondition(inputs.isMultiple(of: groups) && outputs.isMultiple(of: groups))
    (self.inputs, self.outputs, self.height, self.width) = (inputs, outputs, height, width)
    (kernelHeight, kernelWidth) = kernel
    (self.stride, self.padding, self.dilation, self.groups) = (stride, padding, dilation, groups)
    precondition(outputHeight > 0 && outputWidth > 0)
    precondition(padding <= min(reachHeight, reachWidth))
  }

  /// How far the kernel reaches beyond its first pixel.
  var reachHeight: Int { dilation * (kernelHeight - 1) }
  var reachWidth: Int { dilation * (kernelWidth - 1) }

  public var outputHeight: Int { (height + 2 * padding - reachHeight - 1) / stride + 1 }
  public var outputWidth: Int { (width + 2 * padding - reachWidth - 1) / stride + 1 }

  /// How many numbers a sample has that is read, and that is written.
  public var inputCount: Int { height * width * inputs }
  public var outputCount: Int { outputHeight * outputWidth * outputs }

  var groupInputs: Int { inputs / groups }
  var groupOutputs: Int { outputs / groups }

  /// How many weights there are.
  public var weightCount: Int { outputs * groupInputs * kernelHeight * kernelWidth }

  /// Whether products of unfolded samples are the faster way.
  var isUnfolded: Bool {
    groups == 1 && (outputWidth < 4 || (kernelHeight == 1 && kernelWidth == 1 && inputs >= 128))
  }

  /// Computes y.
  ///
  /// - Parameters:
  ///   - x: rows × ``inputCount``.
  ///   - rows: how many samples.
  ///   - weights: ``weightCount`` of them.
  ///   - bias: of each output channel; nil for none.
  ///   - isRectified: whether negative results become zero.
  ///   - y: rows × ``outputCount``, overwritten.
  ///   - threads: how many threads share the samples.
  public func forward(
    _ x: UnsafeBufferPointer<Float>, rows: Int, weights: UnsafeBufferPointer<Float>,
    bias: UnsafeBufferPointer<Float>?, isRectified: Bool, into y: UnsafeMutableBufferPointer<Float>,
    threads: Int
  ) {
    guard rows > 0 else { return }
    if isUnfolded {
      unfoldedForward(x, rows, weights, bias, isRectified, y, threads)
    } else {
      directForward(x, rows, weights, bias, isRectified, y, threads)
    }
  }

  /// Computes the gradient with respect to x.
  ///
  /// - Parameters:
  ///   - dy: the gradient with respect to y, rows × ``outputCount``.
  ///   - rows: how many samples.
  ///   - weights: as in the forward pass.
  ///   - dx: rows × ``inputCount``.
  ///   - isAdded: whether it is added to, not overwritten.
  ///   - mask: where it is not above zero the sum becomes zero: the backward pass of a ReLU before; nil for none.
  ///   - threads: how many threads share the samples.
  public func backwardInputs(
    _ dy: UnsafeBufferPointer<Float>, rows: Int, weights: UnsafeBufferPointer<Float>,
    into dx: UnsafeMutableBufferPointer<Float>, isAdded: Bool, mask: UnsafeBufferPointer<Float>?,
    threads: Int
  ) {
    guard rows > 0 else { return }
    if isUnfolded {
      unfoldedBackwardInputs(dy, rows, weights, dx, isAdded, mask, threads)
    } else {
      directBackwardInputs(dy, rows, weights, dx, isAdded, mask, threads)
    }
  }

  /// Computes the gradient with respect to the weights.
  ///
  /// - Parameters:
  ///   - x: as in the forward pass.
  ///   - dy: the gradient with respect to y.
  ///   - rows: how many samples.
  ///   - dw: ``weightCount`` numbers, overwritten.
  ///   - threads: how many threads share the samples.
  public func backwardWeights(
    _ x: UnsafeBufferPointer<Float>, _ dy: UnsafeBufferPointer<Float>, rows: Int,
    into dw: UnsafeMutableBufferPointer<Float>, threads: Int
  ) {
    guard rows > 0 else { return dw.update(repeating: 0) }
    if isUnfolded {
      unfoldedBackwardWeights(x, dy, rows, dw, threads)
    } else {
      directBackwardWeights(x, dy, rows, dw, threads)
    }
  }

  // MARK: - Tiles

  /// Samples of a tile; of weights so large that a gradient a tile would fill the memory, more.
  func tileSize(rows: Int) -> Int {
    let most = max((1 << 23) / max(weightCount, 1), 1)
    return max(16, (rows + most - 1) / most)
  }

  func tiles(of rows: Int) -> [Range<Int>] {
    let size = tileSize(rows: rows)
    return Swift.stride(from: 0, to: rows, by: size).map { $0..<min($0 + size, rows) }
  }
}
