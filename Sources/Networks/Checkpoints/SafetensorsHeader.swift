/// A strict reader of the JSON that heads a safetensors file.
///
/// Foundation's JSON readers keep the last of two equal keys without a word, which would let a header
/// hide one tensor behind another; this one refuses them. It takes the header's own form only.
struct SafetensorsHeader {
  struct Entry {
    let name: String
    var type = ""
    var shape: [Int] = []
    var begin = 0
    var end = 0
  }

  private(set) var metadata: [String: String] = [:]
  private let bytes: [UInt8]
  private let path: String
  private var position = 0

  init(_ bytes: [UInt8], path: String) {
    self.bytes = bytes
    self.path = path
  }

  /// The tensors that the header describes, in its order.
  mutating func parse() throws(CheckpointError) -> [Entry] {
    var entries: [Entry] = []
    var names: Set<String> = []
    try object { (self, name) throws(CheckpointError) in
      guard names.insert(name).inserted else {
        throw self.failure("names \"\(name)\" twice")
      }
      if name == "__metadata__" {
        try self.parseMetadata()
      } else {
        entries.append(try self.parseEntry(name))
      }
    }
    skipSpace()
    guard position == bytes.count else { throw failure("goes on after its closing brace") }
    return entries
  }

  private mutating func parseMetadata() throws(CheckpointError) {
    try object { (self, key) throws(CheckpointError) in
      guard self.metadata[key] == nil else { throw self.failure("has \"\(key)\" twice") }
      self.metadata[key] = try self.string()
    }
  }

  private mutating func parseEntry(_ name: String) throws(CheckpointError) -> Entry {
    var entry = Entry(name: name)
    var fields: Set<String> = []
    try object { (self, field) throws(CheckpointError) in
      guard fields.insert(field).inserted else {
        throw self.failure("gives \"\(field)\" of \"\(name)\" twice")
      }
      switch field {
      case "dtype": entry.type = try self.string()
      case "shape": entry.shape = try self.integers()
      case "data_offsets":
        let offsets = try self.integers()
        guard offsets.count == 2 else {
          throw self.failure("gives \(offsets.count) data_offsets for \"\(name)\", not 2")
        }
        (entry.begin, entry.end) = (offsets[0], offsets[1])
      default: throw self.failure("has the unknown field \"\(field)\" in \"\(name)\"")
      }
    }
    guard fields.count == 3 else {
      throw failure("describes \"\(name)\" without dtype, shape or data_offsets")
    }
    return entry
  }

  // MARK: - JSON

  private mutating func object(
    _ member: (inout Self, String) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    try expect("{")
    if accept("}") { return }
    repeat {
      let key = try string()
      try expect(":")
      try member(&self, key)
    } while accept(",")
    try expect("}")
  }

  private mutating func integers() throws(CheckpointError) -> [Int] {
    var result: [Int] = []
    try expect("[")
    if accept("]") { return result }
    repeat { result.append(try integer()) } while accept(",")
    try expect("]")
    return result
  }

  private mutating func integer() throws(CheckpointError) -> Int {
    skipSpace()
    let digits = bytes[position...].prefix { (0x30...0x39).contains($0) }
    guard let value = Int(String(decoding: digits, as: UTF8.self)) else {
      throw failure("has no whole number of 0 or more at byte \(position)")
    }
    position += digits.count
    return value
  }

  private mutating func string() throws(CheckpointError) -> String {
    try expect("\"")
    var text: [UInt8] = []
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let result = String(validating: text, as: UTF8.self) else {
          throw failure("has text that is not UTF-8 before byte \(position)")
        }
        return result
      case UInt8(ascii: "\\"):
        text.append(contentsOf: try escape())
      default:
        text.append(byte)
      }
    }
    throw failure("ends inside a text")
  }

  private mutating func escape() throws(CheckpointError) -> [UInt8] {
    guard position < bytes.count else { throw failure("ends inside a text") }
    let kind = bytes[position]
    position += 1
    switch kind {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [kind]
    case UInt8(ascii: "b"): return [8]
    case UInt8(ascii: "f"): return [12]
    case UInt8(ascii: "n"): return [10]
    case UInt8(ascii: "r"): return [13]
    case UInt8(ascii: "t"): return [9]
    case UInt8(ascii: "u"):
      var unit = try codeUnit()
      if (0xD800..<0xDC00).contains(unit) {
        try expect("\\", skippingSpace: false)
        try expect("u", skippingSpace: false)
        let low = try codeUnit()
        guard (0xDC00..<0xE000).contains(low) else { throw failure("has half a surrogate pair") }
        unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(unit) else { throw failure("has half a surrogate pair") }
      return Array(String(Character(scalar)).utf8)
    default: throw failure("has an unknown escape at byte \(position)")
    }
  }

  private mutating func codeUnit() throws(CheckpointError) -> UInt32 {
    let digits = String(decoding: bytes[position...].prefix(4), as: UTF8.self)
    // The radix initialiser would take a sign, too.
    guard digits.utf8.count == 4, digits.allSatisfy(\.isHexDigit),
      let unit = UInt32(digits, radix: 16)
    else {
      throw failure("has a broken escape at byte \(position)")
    }
    position += 4
    return unit
  }

  private mutating func expect(
    _ character: Unicode.Scalar, skippingSpace: Bool = true
  ) throws(CheckpointError) {
    if skippingSpace { skipSpace() }
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else {
      throw failure("has no \(character) where one belongs, at byte \(position)")
    }
    position += 1
  }

  private mutating func accept(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) {
      position += 1
    }
  }

  private func failure(_ what: String) -> CheckpointError {
    CheckpointError(path, "its header \(what)")
  }
}
