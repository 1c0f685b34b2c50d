import Foundation
import TestSupport
import Testing

@testable import Networks

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

  @Test func `a folder is refused and stays as it was`() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/target"
      try FileManager.default.createDirectory(
        atPath: "\(path)/inside", withIntermediateDirectories: true)
      for name in [path, "\(path)/", "\(path)/."] {
        let error = #expect(throws: FileWriteError.self) {
          try writeAtomically(Data("new".utf8), to: name)
        }
        #expect(error?.description.hasPrefix("\(name): could not be written: is a folder") == true)
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["target"])
      #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["inside"])
    }
  }

  @Test(arguments: [FileKind.fifo, .socket, .characterDevice])
  func `what is no regular file is refused and stays, behind a link too`(kind: FileKind) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/special"
      // Only root may make devices.
      guard try make(kind, at: path) else { return }
      try FileManager.default.createSymbolicLink(
        atPath: "\(folder)/link", withDestinationPath: "special")
      for name in [path, "\(folder)/link"] {
        let error = #expect(throws: FileWriteError.self) {
          try writeAtomically(Data("new".utf8), to: name)
        }
        #expect(error?.path == name)
        #expect(error?.reason == "is \(kind.rawValue); name a regular file or a new one")
      }
      #expect(FileKind(at: path) == kind)
      #expect(FileKind(at: "\(folder)/link") == .symbolicLink)
      let left = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(left.sorted() == ["link", "special"])
    }
  }

  private func make(_ kind: FileKind, at path: String) throws -> Bool {
    switch kind {
    case .fifo: return mkfifo(path, 0o600) == 0
    case .characterDevice: return mknod(path, S_IFCHR | 0o600, 0x103) == 0
    case .socket: return mknod(path, S_IFSOCK | 0o600, 0) == 0
    default: return false
    }
  }

  @Test func `links stay, and the files that they lead to are written`() throws {
    try withTemporaryFolder { folder in
      let files = FileManager.default
      for name in ["here", "there"] {
        try files.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: false)
      }
      let links = [
        "here/relative": "../there/old", "here/absolute": "\(folder)/there/old",
        "here/chain": "relative", "here/new": "../there/new", "here/chainToNew": "new",
      ]
      for (link, target) in links {
        try files.createSymbolicLink(atPath: "\(folder)/\(link)", withDestinationPath: target)
      }
      for link in links.keys.sorted() {
        let target = "\(folder)/there/\(link.lowercased().hasSuffix("new") ? "new" : "old")"
        if target.hasSuffix("old") {
          try Data("old".utf8).write(to: URL(fileURLWithPath: target))
        } else {
          try? files.removeItem(atPath: target)
        }
        try writeAtomically(Data(link.utf8), to: "\(folder)/\(link)")
        #expect(try Data(contentsOf: URL(fileURLWithPath: target)) == Data(link.utf8))
        #expect(FileKind(at: target) == .regularFile)
        #expect(
          try files.destinationOfSymbolicLink(atPath: "\(folder)/\(link)") == links[link])
      }
      #expect(try files.contentsOfDirectory(atPath: "\(folder)/there").sorted() == ["new", "old"])
      #expect(try files.contentsOfDirectory(atPath: "\(folder)/here").count == links.count)
    }
  }

  @Test func `a link is followed from the folder that it is really in`() throws {
    try withTemporaryFolder { folder in
      let files = FileManager.default
      try files.createDirectory(
        atPath: "\(folder)/deep/real", withIntermediateDirectories: true)
      try files.createSymbolicLink(
        atPath: "\(folder)/alias", withDestinationPath: "deep/real")
      try files.createSymbolicLink(
        atPath: "\(folder)/deep/real/link", withDestinationPath: "../new")
      try writeAtomically(Data("new".utf8), to: "\(folder)/alias/link")
      #expect(FileKind(at: "\(folder)/deep/new") == .regularFile)
      #expect(FileKind(at: "\(folder)/deep/real/link") == .symbolicLink)
    }
  }

  @Test func `links that lead nowhere are refused`() throws {
    try withTemporaryFolder { folder in
      let links = ["lost": "missing/file", "round": "about", "about": "round"]
      for (link, target) in links {
        try FileManager.default.createSymbolicLink(
          atPath: "\(folder)/\(link)", withDestinationPath: target)
      }
      let words = [
        "lost": "there is no folder \(folder)/missing", "round": "stat: Too many levels",
      ]
      for (link, words) in words {
        let error = #expect(throws: FileWriteError.self) {
          try writeAtomically(Data("new".utf8), to: "\(folder)/\(link)")
        }
        #expect(error?.path == "\(folder)/\(link)")
        #expect(error?.reason.contains(words) == true, "\(error?.reason ?? "")")
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == links.count)
    }
  }

  @Test(arguments: ["", "missing/"]) func `what names no file is refused`(name: String) throws {
    try withTemporaryFolder { folder in
      let error = #expect(throws: FileWriteError.self) {
        try writeAtomically(Data("new".utf8), to: name.isEmpty ? "" : "\(folder)/\(name)")
      }
      #expect(error?.reason == "is no name of a file")
      let left = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(left.isEmpty)
    }
  }

  @Test func `the temporary file is a new one beside the target each time`() throws {
    try withTemporaryFolder { folder in
      let destination = try FileDestination("\(folder)/file")
      let made = try (0..<2).map { _ in try destination.makeTemporary() }
      for file in made { close(file.descriptor) }
      #expect(made[0].path != made[1].path)
      for file in made {
        #expect(file.path.hasPrefix("\(folder)/.permavg-"))
        #expect(FileKind(at: file.path) == .regularFile)
      }
      try destination.requireWritableFolder()
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 2)
    }
  }

  @Test func `a folder that nothing can be made in is an error`() throws {
    // Not even root makes files in /proc.
    let destination = try FileDestination("/proc/permavg")
    let error = #expect(throws: FileWriteError.self) { try destination.requireWritableFolder() }
    #expect(error?.description.hasPrefix("/proc/permavg: could not be written: open: ") == true)
  }

  @Test func `a path without a folder is in the current one`() throws {
    let name = "permavg-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: name) }
    try writeAtomically(Data("text".utf8), to: name)
    #expect(try Data(contentsOf: URL(fileURLWithPath: name)) == Data("text".utf8))
  }
}
