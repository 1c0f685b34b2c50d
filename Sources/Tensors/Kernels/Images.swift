import RealModule

/// out[i] ← scale · pixel[i] + shift for one image of bytes, mirrored left to right if asked.
///
/// - Parameters:
///   - pixels: height × width × channels bytes, row by row.
///   - width: pixels in a row.
///   - isFlipped: whether each row is read from right to left.
///   - scale: floats per step of a byte.
///   - shift: the float of byte 0.
///   - out: height × width floats.
public func normalizeImage(
  _ pixels: UnsafeBufferPointer<UInt8>, width: Int, isFlipped: Bool, scale: Float, shift: Float,
  into out: UnsafeMutableBufferPointer<Float>
) {
  let count = pixels.count
  precondition(out.count == count && count.isMultiple(of: width))
  guard isFlipped else {
    for i in 0..<count { out[i] = Relaxed.multiplyAdd(Float(pixels[i]), scale, shift) }
    return
  }
  guard let pixels = pixels.baseAddress, let out = out.baseAddress else { return }
  for start in stride(from: 0, to: count, by: width) {
    // Unchecked arithmetic: a check in each step would keep the loop from vectorising.
    let (row, last) = (out + start, pixels + start + width - 1)
    for i in 0..<width { row[i] = Relaxed.multiplyAdd(Float(last[0 &- i]), scale, shift) }
  }
}
