import Foundation
import Networks
import TestSupport
import Testing

/// Files that are the old ones or the new ones, never a part.
@Suite struct AtomicFileTests {
  @Test func `a file is written and written over`() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/file"
      for contents in [Data("first, and longer".utf8), Data("second".utf8), Data()] {
        try writeAtomically(contents, to: path)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == contents)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["file"])
      }
    }
  }

  @Test func `a file of many megabytes arrives whole`() throws {
    try withTemporaryFolder { folder in
      let contents = Data((0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })
      try writeAtomically(contents, to: "\(folder)/file")
      #expect(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/file")) == contents)
    }
  }

  @Test func `a missing folder is an error with the system's reason`() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/missing/file"
      let error = #expect(throws: FileWriteError.self) {
        try writeAtomically(Data("new".utf8), to: path)
      }
      let text = error?.description ?? ""
      #expect(text.hasPrefix("\(path): could not be written: open: No such"))
      let left = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(left.isEmpty)
    }
  }

  @Test func `a failed write leaves what was there, and no temporary file`() throws {
    try withTemporaryFolder { folder in
      // A folder stands where the file should go, so the rename fails after everything else.
      let path = "\(folder)/target"
      try FileManager.default.createDirectory(
        atPath: "\(path)/inside", withIntermediateDirectories: true)
      let error = #expect(throws: FileWriteError.self) {
        try writeAtomically(Data("new".utf8), to: path)
      }
      #expect(error?.description.contains("rename: ") == true)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["target"])
      #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["inside"])
    }
  }

  @Test func `a path without a folder is in the current one`() throws {
    let name = "permavg-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: name) }
    try writeAtomically(Data("text".utf8), to: name)
    #expect(try Data(contentsOf: URL(fileURLWithPath: name)) == Data("text".utf8))
  }
}
