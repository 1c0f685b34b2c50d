import COpenBLAS

/// How many floats a register holds: 16 with AVX-512, else 8.
let registerFloats = Int(COPENBLAS_REGISTER_FLOATS)

// The inner loops of direct convolution. All in one file: in debug builds what is generic is made for its vectors only within one.

/// What goes over a padded sample and writes outputs.
struct Sweep: Sendable {
  let channels: Int
  let outputs: Int
  let groups: Int
  let outputHeight: Int
  let outputWidth: Int
  let stride: Int
  let dilation: Int
  let kernelHeight: Int
  let kernelWidth: Int

  private var groupChannels: Int { channels / groups }
  private var groupOutputs: Int { outputs / groups }
  private var blocks: Int { (groupOutputs + registerFloats - 1) / registerFloats }
  private var blockSize: Int { kernelHeight * kernelWidth * groupChannels * registerFloats }

  /// Weights in the order in which they are read: group, block of outputs, kernel's row and column, channel, output of the block.
  func packed(_ weight: (_ output: Int, _ channel: Int, _ u: Int, _ v: Int) -> Float) -> [Float] {
    var result = [Float](repeating: 0, count: groups * blocks * blockSize)
    var place = 0
    for group in 0..<groups {
      for block in 0..<blocks {
        for u in 0..<kernelHeight {
          for v in 0..<kernelWidth {
            for c in 0..<groupChannels {
              for lane in 0..<registerFloats {
                let output = block * registerFloats + lane
                if output < groupOutputs {
                  result[place + lane] = weight(group * groupOutputs + output, c, u, v)
                }
              }
              place += registerFloats
            }
          }
        }
      }
    }
    return result
  }

  /// What is added to each output, with whole registers of each group.
  func packedShifts(_ shifts: UnsafeBufferPointer<Float>?) -> [Float]? {
    shifts.map { shifts in
      (0..<groups).flatMap { group in
        (0..<blocks * registerFloats).map {
          $0 < groupOutputs ? shifts[group * groupOutputs + $0] : 0
        }
      }
    }
  }

  func run(
    _ x: UnsafePointer<Float>, width: Int, _ weights: [Float], shifts: [Float]?, isAdded: Bool,
    isRectified: Bool, into y: UnsafeMutablePointer<Float>
  ) {
    if registerFloats == 16 {
      run(
        SIMD16<Float>.self, x, width, weights, shifts, isAdded: isAdded, isRectified: isRectified, y
      )
    } else {
      run(
        SIMD8<Float>.self, x, width, weights, shifts, isAdded: isAdded, isRectified: isRectified, y)
    }
  }

  @inline(__always)
  private func run<Vector: SIMD>(
    _: Vector.Type, _ x: UnsafePointer<Float>, _ width: Int, _ weights: [Float], _ shifts: [Float]?,
    isAdded: Bool, isRectified: Bool, _ y: UnsafeMutablePointer<Float>
  ) where Vector.Scalar == Float {
    weights.withUnsafeBufferPointer { weights in
      guard let weights = weights.baseAddress else { return }
      for group in 0..<groups {
        for block in 0..<blocks {
          let first = block * registerFloats
          let place = group * blocks + block
          let shift: Vector =
            shifts.map { load($0, place * registerFloats) } ?? Vector(repeating: 0)
          let strip = Strip<Vector>(
            weights: weights + place * blockSize, shift: shift, kernelHeight: kernelHeight,
            runs: groups == 1 && dilation == 1 ? 1 : kernelWidth,
            runLength: groups == 1 && dilation == 1 ? kernelWidth * channels : groupChannels,
            runStep: dilation * channels, rowStep: dilation * width * channels,
            pixelStep: stride * channels, outputStep: outputs,
            channels: min(registerFloats, groupOutputs - first), isAdded: isAdded,
            isRectified: isRectified)
          for i in 0..<outputHeight {
            strip.run(
              x + i * stride * width * channels + group * groupChannels, pixels: outputWidth,
              into: y + i * outputWidth * outputs + group * groupOutputs + first)
          }
        }
      }
    }
  }
}

/// One register's width of output channels along a row of pixels.
private struct Strip<Vector: SIMD> where Vector.Scalar == Float {
  let weights: UnsafePointer<Float>
  let shift: Vector
  let kernelHeight: Int
  /// Numbers that lie side by side in memory, and how many such runs a row of the kernel has.
  let (runs, runLength, runStep): (Int, Int, Int)
  let rowStep: Int
  let pixelStep: Int
  let outputStep: Int
  let channels: Int
  let isAdded: Bool
  let isRectified: Bool

  @inline(__always)
  func run(_ x: UnsafePointer<Float>, pixels: Int, into y: UnsafeMutablePointer<Float>) {
    // Rows of 7, 14 and 28 come out even by sevens.
    let bySeven = !pixels.isMultiple(of: 8) && pixels.isMultiple(of: 7)
    var j = 0
    while j < pixels {
      let (x, y) = (x + j &* pixelStep, y + j &* outputStep)
      switch pixels - j {
      case 8... where !bySeven: j += take(EightPixels<Vector>.self, x, y)
      case 7...: j += take(SevenPixels<Vector>.self, x, y)
      case 4...: j += take(FourPixels<Vector>.self, x, y)
      case 2...: j += take(TwoPixels<Vector>.self, x, y)
      default: j += take(OnePixel<Vector>.self, x, y)
      }
    }
  }

  @inline(__always)
  private func take<Pack: PixelPack>(
    _: Pack.Type, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>
  ) -> Int where Pack.Vector == Vector {
    var sums = Pack(repeating: shift)
    if isAdded {
      // Fewer channels than lanes would read beyond the last pixel.
      sums = channels == Vector.scalarCount ? Pack(y, step: outputStep) : sums
    }
    var weights = weights
    for u in 0..<kernelHeight {
      for run in 0..<runs {
        let x = x + (u &* rowStep &+ run &* runStep)
        for i in 0..<runLength {
          sums.multiplyAdd(x + i, step: pixelStep, weights: load(weights))
          weights += Vector.scalarCount
        }
      }
    }
    if isRectified { sums.rectify() }
    if isAdded, channels < Vector.scalarCount {
      sums.add(to: y, step: outputStep, channels: channels)
    } else {
      sums.store(y, step: outputStep, channels: channels)
    }
    return Pack.count
  }
}

/// Sums of products of inputs and gradients, over all pixels of some samples.
struct WeightSums: Sendable {
  let convolution: Convolution
  let paddedWidth: Int

  init(_ convolution: Convolution, paddedWidth: Int) {
    self.convolution = convolution
    self.paddedWidth = paddedWidth
  }

  private var blocks: Int { (convolution.groupOutputs + registerFloats - 1) / registerFloats }
  private var lanes: Int { convolution.groups * blocks * registerFloats }
  private var taps: Int { convolution.kernelHeight * convolution.kernelWidth }

  /// Group, block of outputs, kernel's row and column, channel, output of the block.
  var count: Int { taps * convolution.groupInputs * lanes }

  /// Numbers of a sample's gradient with whole registers of each group.
  var gradientCount: Int { convolution.outputHeight * convolution.outputWidth * lanes }

  /// Puts a sample's gradient where each group's channels fill whole registers.
  func copy(_ dy: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>) {
    let (outputs, groups) = (convolution.outputs, convolution.groups)
    if lanes == outputs {
      target.update(from: dy, count: gradientCount)
      return
    }
    let (own, padded) = (convolution.groupOutputs, blocks * registerFloats)
    for pixel in 0..<convolution.outputHeight * convolution.outputWidth {
      for group in 0..<groups {
        let to = target + pixel * lanes + group * padded
        to.update(from: dy + pixel * outputs + group * own, count: own)
        (to + own).update(repeating: 0, count: padded - own)
      }
    }
  }

  func add(
    _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, samples: Int, _ sampleStep: Int,
    to sums: UnsafeMutablePointer<Float>
  ) {
    if registerFloats == 16 {
      add(SIMD16<Float>.self, x, dy, samples, sampleStep, sums)
    } else {
      add(SIMD8<Float>.self, x, dy, samples, sampleStep, sums)
    }
  }

  @inline(__always)
  private func add<Vector: SIMD>(
    _: Vector.Type, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ samples: Int,
    _ sampleStep: Int, _ sums: UnsafeMutablePointer<Float>
  ) where Vector.Scalar == Float {
    let c = convolution
    var sums = sums
    for group in 0..<c.groups {
      for block in 0..<blocks {
        let dy = dy + (group * blocks + block) * registerFloats
        for u in 0..<c.kernelHeight {
          for v in 0..<c.kernelWidth {
            let x =
              x + (u * c.dilation * paddedWidth + v * c.dilation) * c.inputs + group * c.groupInputs
            var channel = 0
            while channel < c.groupInputs {
              let x = x + channel
              let own = sums + channel * registerFloats
              switch c.groupInputs - channel {
              case 8...: channel += take(EightPixels<Vector>.self, x, dy, samples, sampleStep, own)
              case 4...: channel += take(FourPixels<Vector>.self, x, dy, samples, sampleStep, own)
              case 2...: channel += take(TwoPixels<Vector>.self, x, dy, samples, sampleStep, own)
              default: channel += take(OnePixel<Vector>.self, x, dy, samples, sampleStep, own)
              }
            }
            sums += c.groupInputs * registerFloats
          }
        }
      }
    }
  }

  /// Adds for as many input channels as a pack has, which stand for its pixels.
  @inline(__always)
  private func take<Pack: PixelPack>(
    _: Pack.Type, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ samples: Int,
    _ sampleStep: Int, _ sums: UnsafeMutablePointer<Float>
  ) -> Int {
    let c = convolution
    let (width, pixelStep, lanes) = (c.outputWidth, c.stride &* c.inputs, lanes)
    let rowStep = c.stride &* paddedWidth &* c.inputs
    var own = Pack(sums, step: registerFloats)
    var dy = dy
    for sample in 0..<samples {
      for i in 0..<c.outputHeight {
        var x = x + (sample &* sampleStep &+ i &* rowStep)
        for _ in 0..<width {
          own.multiplyAdd(x, step: 1, weights: load(dy))
          x += pixelStep
          dy += lanes
        }
      }
    }
    own.store(sums, step: registerFloats, channels: registerFloats)
    return Pack.count
  }

  /// Puts sums in PyTorch's order of weights.
  func unpack(_ sums: [Float], into dw: UnsafeMutableBufferPointer<Float>) {
    let c = convolution
    var place = 0
    for o in 0..<c.outputs {
      let (group, output) = (o / c.groupOutputs, o % c.groupOutputs)
      let (block, lane) = (output / registerFloats, output % registerFloats)
      for channel in 0..<c.groupInputs {
        for tap in 0..<taps {
          let row = ((group * blocks + block) * taps + tap) * c.groupInputs + channel
          dw[place] = sums[row * registerFloats + lane]
          place += 1
        }
      }
    }
  }
}

// MARK: - Registers

/// Sums for a few pixels side by side, of as many output channels as a register holds, kept in registers.
///
/// All that is computed here is made of ``multiplyAdd(_:step:weights:)``: a number of each pixel times one vector. Eight pixels
/// keep both of a core's multipliers busy, which take four cycles for a sum.
private protocol PixelPack {
  associatedtype Vector: SIMD where Vector.Scalar == Float

  /// How many pixels.
  static var count: Int { get }

  /// The same sums for all pixels.
  init(repeating vector: Vector)

  /// Sums that lie in memory, those of two pixels `step` apart.
  init(_ sums: UnsafePointer<Float>, step: Int)

  /// Adds x[p · step] · weights to the sums of pixel p.
  mutating func multiplyAdd(_ x: UnsafePointer<Float>, step: Int, weights: Vector)

  /// Replaces negative sums by zero.
  mutating func rectify()

  /// Writes the first `channels` sums of each pixel.
  func store(_ y: UnsafeMutablePointer<Float>, step: Int, channels: Int)

  /// Adds the first `channels` sums of each pixel.
  func add(to y: UnsafeMutablePointer<Float>, step: Int, channels: Int)
}

private typealias TwoPixels<Vector: SIMD> = Both<OnePixel<Vector>, OnePixel<Vector>>
where Vector.Scalar == Float
private typealias FourPixels<Vector: SIMD> = Both<TwoPixels<Vector>, TwoPixels<Vector>>
where Vector.Scalar == Float
private typealias SevenPixels<Vector: SIMD> = Both<
  FourPixels<Vector>, Both<TwoPixels<Vector>, OnePixel<Vector>>
> where Vector.Scalar == Float
private typealias EightPixels<Vector: SIMD> = Both<FourPixels<Vector>, FourPixels<Vector>>
where Vector.Scalar == Float

/// One pixel.
private struct OnePixel<Vector: SIMD>: PixelPack where Vector.Scalar == Float {
  @inline(__always) static var count: Int { 1 }
  private var sums: Vector

  @inline(__always)
  init(repeating vector: Vector) { sums = vector }

  @inline(__always)
  init(_ sums: UnsafePointer<Float>, step: Int) { self.sums = load(sums) }

  @inline(__always)
  mutating func multiplyAdd(_ x: UnsafePointer<Float>, step: Int, weights: Vector) {
    sums.addProduct(Vector(repeating: x[0]), weights)
  }

  @inline(__always)
  mutating func rectify() { sums.replace(with: 0, where: sums .< 0) }

  @inline(__always)
  func store(_ y: UnsafeMutablePointer<Float>, step: Int, channels: Int) {
    if channels == Vector.scalarCount {
      UnsafeMutableRawPointer(y).storeBytes(of: sums, as: Vector.self)
    } else {
      for lane in 0..<channels { y[lane] = sums[lane] }
    }
  }

  @inline(__always)
  func add(to y: UnsafeMutablePointer<Float>, step: Int, channels: Int) {
    for lane in 0..<channels { y[lane] += sums[lane] }
  }
}

/// Some pixels and more of them.
private struct Both<First: PixelPack, Rest: PixelPack>: PixelPack
where First.Vector == Rest.Vector {
  @inline(__always) static var count: Int { First.count &+ Rest.count }
  private var first: First
  private var rest: Rest

  @inline(__always)
  init(repeating vector: First.Vector) {
    first = First(repeating: vector)
    rest = Rest(repeating: vector)
  }

  @inline(__always)
  init(_ sums: UnsafePointer<Float>, step: Int) {
    first = First(sums, step: step)
    rest = Rest(sums + First.count &* step, step: step)
  }

  @inline(__always)
  mutating func multiplyAdd(_ x: UnsafePointer<Float>, step: Int, weights: First.Vector) {
    first.multiplyAdd(x, step: step, weights: weights)
    rest.multiplyAdd(x + First.count &* step, step: step, weights: weights)
  }

  @inline(__always)
  mutating func rectify() {
    first.rectify()
    rest.rectify()
  }

  @inline(__always)
  func store(_ y: UnsafeMutablePointer<Float>, step: Int, channels: Int) {
    first.store(y, step: step, channels: channels)
    rest.store(y + First.count &* step, step: step, channels: channels)
  }

  @inline(__always)
  func add(to y: UnsafeMutablePointer<Float>, step: Int, channels: Int) {
    first.add(to: y, step: step, channels: channels)
    rest.add(to: y + First.count &* step, step: step, channels: channels)
  }
}

@inline(__always)
private func load<Vector: SIMD>(_ p: UnsafePointer<Float>) -> Vector where Vector.Scalar == Float {
  UnsafeRawPointer(p).loadUnaligned(as: Vector.self)
}

/// The numbers of an array from a place on.
@inline(__always)
private func load<Vector: SIMD>(_ values: [Float], _ place: Int) -> Vector
where Vector.Scalar == Float {
  values.span.withUnsafeBytes {
    $0.loadUnaligned(fromByteOffset: place * MemoryLayout<Float>.stride, as: Vector.self)
  }
}
