import Foundation
import Networks
import Testing

/// Files that are not what they claim to be, and what is said about them.
@Suite struct BadSafetensorsTests {
  struct BadFile: Sendable, CustomTestStringConvertible {
    let name: String
    let data: Data
    let words: String

    init(_ name: String, _ data: Data, _ words: String) {
      (self.name, self.data, self.words) = (name, data, words)
    }

    init(_ name: String, _ header: String, contents: Int = 8, _ words: String) {
      self.init(name, assemble(header, contents: contents), words)
    }

    var testDescription: String { name }
  }

  static let formats = [
    BadFile("an empty file", Data(), "is 0 bytes long"),
    BadFile(
      "a zipped pickle", Data([0x50, 0x4B, 3, 4]) + Data(count: 60), "is a PyTorch pickle"),
    BadFile(
      "an old pickle", Data([0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A]),
      "safetensors.torch.save_file"),
    BadFile(
      "a Git LFS pointer",
      Data("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n".utf8),
      "git lfs pull"),
    BadFile("a web page", Data("<!DOCTYPE html><html>…</html>".utf8), "is a web page"),
    BadFile("a bare web page", Data("<html><body>404</body></html>".utf8), "is a web page"),
    BadFile(
      "a header longer than the file", assemble("{}", contents: 0, length: 3),
      "claims 3 bytes, but the file has 2"),
    BadFile(
      "a header of more than 2⁶³ bytes", assemble("{}", contents: 0, length: .max),
      "claims 18446744073709551615 bytes"),
    BadFile("text", Data("just some text".utf8), "not a safetensors file"),
  ]

  static let headers = [
    BadFile("no header", "", contents: 0, "has no { where one belongs"),
    BadFile("a list", "[]", contents: 0, "has no { where one belongs"),
    BadFile("an open brace", "{", contents: 0, "has no \" where one belongs"),
    BadFile("an open text", #"{"name"#, contents: 0, "ends inside a text"),
    BadFile("an open escape", #"{"name\"#, contents: 0, "ends inside a text"),
    BadFile("a trailing comma", "{\(entry("a", 0, 8)),}", "has no \" where one belongs"),
    BadFile("more after the brace", "{\(entry("a", 0, 8))} x", "goes on after its closing brace"),
    BadFile("a zero after the brace", "{\(entry("a", 0, 8))}\0", "goes on"),
    BadFile(
      "a name twice", "{\(entry("a", 0, 4)),\(entry("a", 4, 8))}", #"names "a" twice"#),
    BadFile(
      "a name twice, once escaped", #"{\#(entry("a", 0, 4)),\#(entry(#"\u0061"#, 4, 8))}"#,
      #"names "a" twice"#),
    BadFile(
      "metadata twice", #"{"__metadata__":{},"__metadata__":{}}"#, contents: 0,
      #"names "__metadata__" twice"#),
    BadFile(
      "a metadata key twice", #"{"__metadata__":{"k":"1","k":"2"}}"#, contents: 0,
      #"has "k" twice"#),
    BadFile(
      "a number for metadata", #"{"__metadata__":{"k":1}}"#, contents: 0,
      "has no \" where one belongs"),
    BadFile(
      "a field twice", #"{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
      #"gives "dtype" of "a" twice"#),
    BadFile(
      "an unknown field", #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}"#,
      #"unknown field "x""#),
    BadFile(
      "a missing field", #"{"a":{"dtype":"F32","shape":[2]}}"#,
      "without dtype, shape or data_offsets"),
    BadFile(
      "three offsets", #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}"#,
      "gives 3 data_offsets"),
    BadFile(
      "an unknown type", #"{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}"#,
      #"unknown element type "F33""#),
    BadFile(
      "a negative dimension", #"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#,
      "no whole number of 0 or more"),
    BadFile(
      "a broken dimension", #"{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}"#,
      "has no ] where one belongs"),
    BadFile(
      "a dimension beyond 64 bits",
      #"{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}"#,
      "no whole number"),
    BadFile(
      "dimensions whose product overflows",
      #"{"a":{"dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[0,8]}}"#,
      "has the shape [4294967296, 4294967296, 2]"),
    BadFile(
      "dimensions whose product overflows to the size",
      #"{"a":{"dtype":"U8","shape":[4611686018427387906,4],"data_offsets":[0,8]}}"#,
      "has the shape"),
    BadFile(
      "a shape of another size", #"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#,
      "needs 12 bytes, its header gives it 8"),
    BadFile(
      "a type of another size", #"{"a":{"dtype":"F64","shape":[2],"data_offsets":[0,8]}}"#,
      "type F64 needs 16 bytes"),
    BadFile("bytes beyond the end", "{\(entry("a", 0, 12))}", "the file has 8 bytes of data"),
    BadFile("bytes in reverse", "{\(entry("a", 8, 0))}", "lies at bytes 8 to 0"),
    BadFile(
      "bytes far beyond the end",
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[9223372036854775803,9223372036854775807]}}"#,
      "but the file has 8 bytes"),
    BadFile(
      "tensors that overlap", "{\(entry("a", 0, 8)),\(entry("b", 4, 8))}", "they overlap"),
    BadFile(
      "two names for the same bytes", "{\(entry("a", 0, 8)),\(entry("b", 0, 8))}",
      "they overlap"),
    BadFile(
      "a gap", "{\(entry("a", 0, 4)),\(entry("b", 8, 12))}", contents: 12, "there is a gap"),
    BadFile("a gap at the start", "{\(entry("a", 4, 8))}", "there is a gap"),
    BadFile("bytes after the last tensor", "{\(entry("a", 0, 4))}", "has 4 bytes after the last"),
    BadFile("bytes and no tensor", "{}", contents: 1, "has 1 bytes after the last"),
    BadFile(
      "a name that is not UTF-8",
      Data([14, 0, 0, 0, 0, 0, 0, 0]) + Data(#"{""#.utf8) + Data([0xC3, 0x28])
        + Data(#"":{}     }"#.utf8), "not UTF-8"),
    BadFile("an unknown escape", #"{"a\x":{}}"#, contents: 0, "unknown escape"),
    BadFile("a broken escape", #"{"a\u12":{}}"#, contents: 0, "broken escape"),
    BadFile("a signed escape", #"{"a\u+123":{}}"#, contents: 0, "broken escape"),
    BadFile("half a surrogate pair", #"{"a\ud800":{}}"#, contents: 0, #"has no \ where"#),
    BadFile("a low surrogate alone", #"{"a\udc00":{}}"#, contents: 0, "half a surrogate pair"),
    BadFile(
      "two high surrogates", #"{"a\ud800\ud800":{}}"#, contents: 0, "half a surrogate pair"),
  ]

  @Test(arguments: formats + headers)
  func `a file that is not what it claims is an error that says what it is`(file: BadFile) {
    let error = #expect(throws: CheckpointError.self) {
      try Safetensors(file.data, path: "members/004.safetensors")
    }
    #expect(error?.path == "members/004.safetensors")
    let problem = error?.problem ?? ""
    #expect(problem.contains(file.words))
  }

  /// A header's entry for floats at some bytes.
  private static func entry(_ name: String, _ begin: Int, _ end: Int) -> String {
    #""\#(name)":{"dtype":"F32","shape":[\#(abs(end - begin) / 4)],"data_offsets":[\#(begin),\#(end)]}"#
  }
}
