import Foundation

extension Safetensors.ElementType {
  /// Whether elements are floats of some width.
  var isFloating: Bool {
    switch self {
    case .float16, .bfloat16, .float32, .float64: true
    case .bool, .uint8, .int8, .uint16, .int16, .uint32, .int32, .uint64, .int64: false
    }
  }
}

extension Safetensors.Tensor {
  /// The elements as 32-bit floats, whatever floats they are; nil if they are none.
  ///
  /// Exact for 16-bit types, and rounded for 64-bit ones.
  public var numbers: [Float]? {
    switch type {
    case .float32: floats
    case .float64: doubles?.map { Float($0) }
    case .float16: halves { Float(Float16(bitPattern: $0)) }
    case .bfloat16: halves { Float(bitPattern: UInt32($0) << 16) }
    case .bool, .uint8, .int8, .uint16, .int16, .uint32, .int32, .uint64, .int64: nil
    }
  }

  /// A tensor of a float type out of 32-bit floats, each rounded to the nearest, ties to even.
  init(name: String, shape: [Int], type: Safetensors.ElementType, numbers: ArraySlice<Float>) {
    precondition(type.isFloating, "\(name): numbers cannot be kept as \(type.rawValue)")
    let bytes: Data =
      switch type {
      case .float64: numbers.map { Double($0) }.withUnsafeBytes { Data($0) }
      case .float16: numbers.map { Float16($0).bitPattern }.withUnsafeBytes { Data($0) }
      case .bfloat16: numbers.map { bfloat16($0) }.withUnsafeBytes { Data($0) }
      default: numbers.withUnsafeBytes { Data($0) }
      }
    self.init(name: name, type: type, shape: shape, bytes: bytes)
  }

  private func halves(_ convert: (UInt16) -> Float) -> [Float] {
    bytes.withUnsafeBytes { bytes in
      (0..<bytes.count / 2).map {
        convert(bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self))
      }
    }
  }
}

/// The upper half of a float, rounded to the nearest, ties to even; a NaN stays one.
private func bfloat16(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  guard !value.isNaN else { return UInt16(bits >> 16) | 0x40 }
  let rounding = 0x7FFF + (bits >> 16 & 1)
  return UInt16((bits + rounding) >> 16)
}
