/// Moments and scaling of channels that lie side by side, of many rows: what batch normalisation is made of.
///
/// Rows are taken in chunks of a fixed size, each by one thread; sums of a chunk are of single precision around a value of
/// the channel itself, and are added in double precision in order.
public enum Channels {
  private static let chunk = 1024

  private static func chunks(_ rows: Int) -> [Range<Int>] {
    stride(from: 0, to: rows, by: chunk).map { $0..<min($0 + chunk, rows) }
  }

  /// The mean and the variance (of the rows themselves, divided by their number) of each channel.
  ///
  /// - Parameters:
  ///   - x: rows × channels.
  ///   - rows: at least one.
  ///   - channels: how many.
  ///   - threads: how many threads share the rows.
  /// - Returns: channels each.
  public static func moments(
    _ x: UnsafeBufferPointer<Float>, rows: Int, channels: Int, threads: Int
  ) -> (means: [Double], variances: [Double]) {
    let origin = Array(x[..<channels])
    let (sums, squares) = pairSums(x, x, around: origin, rows: rows, threads: threads) {
      x, _, origin in
      let centred = x - origin
      return (centred, centred * centred)
    }
    let count = Double(rows)
    let means = (0..<channels).map { sums[$0] / count }
    return (
      (0..<channels).map { Double(origin[$0]) + means[$0] },
      (0..<channels).map { max(squares[$0] / count - means[$0] * means[$0], 0) }
    )
  }

  /// Σ dy and Σ dy (x − mean) of each channel.
  public static func gradientSums(
    _ dy: UnsafeBufferPointer<Float>, _ x: UnsafeBufferPointer<Float>, means: [Float], rows: Int,
    threads: Int
  ) -> (sums: [Double], products: [Double]) {
    pairSums(dy, x, around: means, rows: rows, threads: threads) { dy, x, mean in
      (dy, dy * (x - mean))
    }
  }

  /// y ← x a + b, and max(·, 0) if it is rectified.
  ///
  /// - Parameters:
  ///   - x: rows × channels.
  ///   - scales: a, of each channel.
  ///   - shifts: b.
  ///   - rows: how many.
  ///   - isRectified: whether negative results become zero.
  ///   - y: overwritten.
  ///   - threads: how many threads share the rows.
  public static func scale(
    _ x: UnsafeBufferPointer<Float>, by scales: [Float], shifts: [Float], rows: Int,
    isRectified: Bool, into y: UnsafeMutableBufferPointer<Float>, threads: Int
  ) {
    let floor: Float = isRectified ? 0 : -.infinity
    map(x, scales, x, scales, shifts, rows: rows, into: y, isAdded: false, threads: threads) {
      x, scale, _, _, shift in
      let y = scale * x + shift
      return y.replacing(with: floor, where: y .< floor)
    }
  }

  /// out ← dy a + x b + c, of each channel; or added to what is there.
  public static func combine(
    _ dy: UnsafeBufferPointer<Float>, _ a: [Float], _ x: UnsafeBufferPointer<Float>, _ b: [Float],
    _ c: [Float], rows: Int, into out: UnsafeMutableBufferPointer<Float>, isAdded: Bool,
    threads: Int
  ) {
    map(dy, a, x, b, c, rows: rows, into: out, isAdded: isAdded, threads: threads) {
      dy, a, x, b, c in a * dy + (b * x + c)
    }
  }

  // MARK: - Loops

  private typealias Vector = SIMD16<Float>
  private static var width: Int { Vector.scalarCount }

  /// A register's width of channels' numbers, zero behind the last.
  @inline(__always)
  private static func load(_ values: [Float], _ channel: Int) -> Vector {
    values.withUnsafeBufferPointer { values in
      guard let start = values.baseAddress else { return Vector(repeating: 0) }
      return load(start, channel, of: values.count)
    }
  }

  @inline(__always)
  private static func load(
    _ values: UnsafePointer<Float>, _ channel: Int, of channels: Int
  ) -> Vector {
    if channel + width <= channels {
      return UnsafeRawPointer(values + channel).loadUnaligned(as: Vector.self)
    }
    var result = Vector(repeating: 0)
    for lane in 0..<channels - channel { result[lane] = values[channel + lane] }
    return result
  }

  @inline(__always)
  private static func pairSums(
    _ p: UnsafeBufferPointer<Float>, _ q: UnsafeBufferPointer<Float>, around origins: [Float],
    rows: Int, threads: Int, _ body: @Sendable (Vector, Vector, Vector) -> (Vector, Vector)
  ) -> ([Double], [Double]) {
    let channels = origins.count
    nonisolated(unsafe) let (p, q) = (p, q)
    let chunks = chunks(rows)
    let parts = concurrentMap(chunks.count, threads: threads) { number in
      var result = [Float](repeating: 0, count: 2 * channels)
      guard let p = p.baseAddress, let q = q.baseAddress else { return result }
      for channel in stride(from: 0, to: channels, by: width) {
        var (first, second) = (Vector(repeating: 0), Vector(repeating: 0))
        let origin = load(origins, channel)
        for row in chunks[number] {
          let (a, b) = body(
            load(p + row * channels, channel, of: channels),
            load(q + row * channels, channel, of: channels), origin)
          first += a
          second += b
        }
        for lane in 0..<min(width, channels - channel) {
          result[channel + lane] = first[lane]
          result[channels + channel + lane] = second[lane]
        }
      }
      return result
    }
    var (sums, others) = (
      [Double](repeating: 0, count: channels), [Double](repeating: 0, count: channels)
    )
    for part in parts {
      for channel in 0..<channels {
        sums[channel] += Double(part[channel])
        others[channel] += Double(part[channels + channel])
      }
    }
    return (sums, others)
  }

  @inline(__always)
  private static func map(
    _ p: UnsafeBufferPointer<Float>, _ a: [Float], _ q: UnsafeBufferPointer<Float>, _ b: [Float],
    _ c: [Float], rows: Int, into out: UnsafeMutableBufferPointer<Float>, isAdded: Bool,
    threads: Int, _ body: @Sendable (Vector, Vector, Vector, Vector, Vector) -> Vector
  ) {
    let channels = a.count
    nonisolated(unsafe) let (p, q, out) = (p, q, out)
    let chunks = chunks(rows)
    concurrently(chunks.count, threads: threads) { number in
      guard let p = p.baseAddress, let q = q.baseAddress, let out = out.baseAddress else { return }
      for channel in stride(from: 0, to: channels, by: width) {
        let lanes = min(width, channels - channel)
        let (a, b, c) = (load(a, channel), load(b, channel), load(c, channel))
        for row in chunks[number] {
          var result = body(
            load(p + row * channels, channel, of: channels), a,
            load(q + row * channels, channel, of: channels), b, c)
          let place = out + row * channels + channel
          if isAdded { result += load(out + row * channels, channel, of: channels) }
          if lanes == width {
            UnsafeMutableRawPointer(place).storeBytes(of: result, as: Vector.self)
          } else {
            for lane in 0..<lanes { place[lane] = result[lane] }
          }
        }
      }
    }
  }
}
