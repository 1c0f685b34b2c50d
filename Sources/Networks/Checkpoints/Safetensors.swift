import Foundation

/// A file of named tensors in the safetensors format, which Python's `safetensors` reads and writes.
///
/// Eight bytes of header length, a JSON header, then the tensors' bytes, all little-endian.
/// Source: https://github.com/huggingface/safetensors#format
public struct Safetensors: Equatable, Sendable {
  /// What a tensor's elements are, by the format's own names.
  public enum ElementType: String, Sendable, CaseIterable {
    case bool = "BOOL"
    case uint8 = "U8"
    case int8 = "I8"
    case uint16 = "U16"
    case int16 = "I16"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case uint32 = "U32"
    case int32 = "I32"
    case float32 = "F32"
    case uint64 = "U64"
    case int64 = "I64"
    case float64 = "F64"

    /// Bytes an element takes.
    public var size: Int {
      switch self {
      case .bool, .uint8, .int8: 1
      case .uint16, .int16, .float16, .bfloat16: 2
      case .uint32, .int32, .float32: 4
      case .uint64, .int64, .float64: 8
      }
    }
  }

  /// One tensor: its shape, and its bytes in row-major order.
  public struct Tensor: Equatable, Sendable {
    public let name: String
    public let type: ElementType
    public let shape: [Int]
    public let bytes: Data

    init(name: String, type: ElementType, shape: [Int], bytes: Data) {
      self.name = name
      self.type = type
      self.shape = shape
      self.bytes = bytes
    }

    /// A tensor of 32-bit floats.
    public init(name: String, shape: [Int], floats: some Collection<Float>) {
      let floats = Array(floats)
      precondition(shape.reduce(1, *) == floats.count, "\(name): \(floats.count) for \(shape)")
      self.init(
        name: name, type: .float32, shape: shape,
        bytes: floats.withUnsafeBytes { Data($0) })
    }

    /// A tensor of 64-bit integers.
    public init(name: String, shape: [Int], integers: [Int]) {
      precondition(shape.reduce(1, *) == integers.count, "\(name): \(integers.count) for \(shape)")
      self.init(
        name: name, type: .int64, shape: shape,
        bytes: integers.map(Int64.init).withUnsafeBytes { Data($0) })
    }

    /// The elements, if they are 32-bit floats.
    public var floats: [Float]? { type == .float32 ? elements(as: Float.self) : nil }

    /// The elements, if they are 64-bit floats.
    public var doubles: [Double]? { type == .float64 ? elements(as: Double.self) : nil }

    /// The elements, if they are 64-bit integers.
    public var integers: [Int]? {
      type == .int64 ? elements(as: Int64.self).map(Int.init) : nil
    }

    private func elements<Element: BitwiseCopyable>(as: Element.Type) -> [Element] {
      let size = MemoryLayout<Element>.size
      return bytes.withUnsafeBytes { bytes in
        (0..<bytes.count / size).map {
          bytes.loadUnaligned(fromByteOffset: $0 * size, as: Element.self)
        }
      }
    }
  }

  /// The tensors in the order of their bytes.
  public var tensors: [Tensor] {
    didSet { places = Self.places(of: tensors) }
  }

  /// Where in ``tensors`` each name is.
  private var places: [String: Int]

  /// Free texts about the file.
  public var metadata: [String: String]

  /// A file in memory.
  public init(tensors: [Tensor], metadata: [String: String] = [:]) {
    self.tensors = tensors
    self.metadata = metadata
    places = Self.places(of: tensors)
  }

  private static func places(of tensors: [Tensor]) -> [String: Int] {
    Dictionary(
      tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The tensor of a name.
  public subscript(name: String) -> Tensor? { places[name].map { tensors[$0] } }

  /// Reads a file and checks that its header tells the truth.
  ///
  /// - Throws: ``CheckpointError`` for a file that is missing, truncated, something else (a PyTorch
  ///   pickle, a Git LFS pointer, a web page), or whose header is too large, malformed, names a tensor
  ///   twice, or describes bytes that overlap, leave a gap or do not exist.
  public init(contentsOf path: String) throws(CheckpointError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw CheckpointError(path, "no such file")
    }
    guard !isFolder.boolValue else {
      throw CheckpointError(path, "is a folder, not a safetensors file")
    }
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw CheckpointError(path, "could not be read: \(error.localizedDescription)")
    }
    try self.init(data, path: path)
  }

  /// Parses a file's bytes; `path` names it in errors.
  public init(_ data: Data, path: String) throws(CheckpointError) {
    if let other = Self.otherFormat(of: data) { throw CheckpointError(path, other) }
    guard data.count >= 8 else {
      throw CheckpointError(
        path, "is \(data.count) bytes long; a safetensors file starts with 8 bytes of header length"
      )
    }
    let length = data.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
    guard length <= UInt64(data.count - 8), length <= 100_000_000 else {
      throw CheckpointError(
        path,
        "its header claims \(length) bytes, but the file has \(data.count - 8) after the length;"
          + " it is truncated or not a safetensors file")
    }
    let contents = data.dropFirst(8 + Int(length))
    var parser = SafetensorsHeader(Array(data.dropFirst(8).prefix(Int(length))), path: path)
    let entries = try parser.parse()
    metadata = parser.metadata
    var tensors: [Tensor] = []
    var end = 0
    for entry in entries.sorted(by: { ($0.begin, $0.end) < ($1.begin, $1.end) }) {
      let tensor = "tensor \"\(entry.name)\""
      guard let type = ElementType(rawValue: entry.type) else {
        throw CheckpointError(path, "\(tensor) has the unknown element type \"\(entry.type)\"")
      }
      var size = type.size
      for dimension in entry.shape {
        let (product, overflow) = size.multipliedReportingOverflow(by: dimension)
        guard !overflow else {
          throw CheckpointError(path, "\(tensor) has the shape \(entry.shape)")
        }
        size = product
      }
      guard entry.begin <= entry.end, entry.end <= contents.count else {
        throw CheckpointError(
          path,
          "\(tensor) lies at bytes \(entry.begin) to \(entry.end), but the file has"
            + " \(contents.count) bytes of data")
      }
      guard entry.end - entry.begin == size else {
        throw CheckpointError(
          path,
          "\(tensor) of shape \(entry.shape) and type \(type.rawValue) needs \(size) bytes, its"
            + " header gives it \(entry.end - entry.begin)")
      }
      guard entry.begin == end else {
        throw CheckpointError(
          path,
          "\(tensor) starts at byte \(entry.begin) where the tensor before it ends at \(end):"
            + (entry.begin < end ? " they overlap" : " there is a gap"))
      }
      end = entry.end
      let start = contents.startIndex
      tensors.append(
        Tensor(
          name: entry.name, type: type, shape: entry.shape,
          bytes: Data(contents[start + entry.begin..<start + entry.end])))
    }
    guard end == contents.count else {
      throw CheckpointError(
        path,
        "has \(contents.count - end) bytes after the last tensor that no header entry describes")
    }
    self.tensors = tensors
    places = Self.places(of: tensors)
  }

  /// The file's bytes.
  public var data: Data {
    func quoted(_ text: String) -> String {
      var result = "\""
      for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": result += "\\\(scalar)"
        case _ where scalar.value < 0x20:
          result += "\\u" + String(scalar.value + 0x10000, radix: 16).dropFirst()
        default: result.unicodeScalars.append(scalar)
        }
      }
      return result + "\""
    }
    var entries: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0)):\(quoted($1))" }
      entries.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var offset = 0
    for tensor in tensors {
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      let end = offset + tensor.bytes.count
      entries.append(
        "\(quoted(tensor.name)):{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var header = Data("{\(entries.joined(separator: ","))}".utf8)
    while header.count % 8 != 0 { header.append(0x20) }
    var result = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) }
    result.append(header)
    for tensor in tensors { result.append(tensor.bytes) }
    return result
  }

  /// Writes the file atomically.
  public func write(to path: String) throws(FileWriteError) {
    try writeAtomically(data, to: path)
  }

  /// What the bytes are, if they are one of the things that people have instead.
  private static func otherFormat(of data: Data) -> String? {
    let start = data.prefix(64)
    // A header of 640 bytes makes a file begin with 80 02, as a pickle does.
    if start.dropFirst(8).first == UInt8(ascii: "{") { return nil }
    if start.starts(with: [0x50, 0x4B, 3, 4]) || start.starts(with: [0x80, 2]) {
      return "is a PyTorch pickle, not safetensors; save it with safetensors.torch.save_file(...)"
    }
    if start.starts(with: Array("version https://git-lfs".utf8)) {
      return "is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`"
    }
    if start.starts(with: Array("<!DOCTYPE".utf8)) || start.starts(with: Array("<html".utf8)) {
      return "is a web page, not safetensors; the download failed"
    }
    return nil
  }
}
