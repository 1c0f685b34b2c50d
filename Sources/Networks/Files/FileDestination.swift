import Foundation

/// The file that is written when a path is written to: the path's own, or the one that symbolic links lead to.
///
/// It is a regular file or not there yet. Anything else is refused, as a rename would destroy it.
public struct FileDestination {
  /// The folder that the file is in.
  public let folder: String

  /// The file's path, which is no symbolic link.
  let path: String

  /// The path that was asked for.
  private let asked: String

  /// Finds out where a path leads.
  ///
  /// - Throws: ``FileWriteError`` for a folder, a device, a FIFO or a socket, and for a link that leads nowhere.
  public init(_ path: String) throws(FileWriteError) {
    func refusal(_ reason: String) -> FileWriteError {
      FileWriteError(path: path, reason: reason)
    }
    var end = path
    var status = stat()
    if stat(path, &status) == 0 {
      let kind = FileKind(status)
      guard kind == .regularFile else {
        throw refusal("is \(kind.rawValue); name a regular file or a new one")
      }
      // A link of /proc may lead to a file that was removed, and has no name.
      guard let real = realpath(path, nil) else {
        throw refusal("leads to a file without a name; name a regular file or a new one")
      }
      end = String(cString: real)
      free(real)
    } else if errno == ENOENT {
      while let next = try? FileManager.default.destinationOfSymbolicLink(atPath: end) {
        end = next.hasPrefix("/") ? next : "\(Self.folder(of: end))/\(next)"
      }
    } else {
      throw FileWriteError(path: path, call: "stat")
    }
    asked = path
    self.path = end
    folder = Self.folder(of: end)
    guard !end.isEmpty, !end.hasSuffix("/") else { throw refusal("is no name of a file") }
    guard end == path || FileManager.default.fileExists(atPath: folder) else {
      throw refusal(
        "is a symbolic link to \(end), but there is no folder \(folder);"
          + " make the folder or remove the link")
    }
  }

  /// Makes sure that the file can be made, by making another in its folder, which is removed.
  public func requireWritableFolder() throws(FileWriteError) {
    let temporary = try makeTemporary()
    close(temporary.descriptor)
    unlink(temporary.path)
  }

  /// A new, empty file in the folder, under a name that nobody can foresee.
  func makeTemporary() throws(FileWriteError) -> (descriptor: Int32, path: String) {
    let name = "\(folder)/.permavg-\(UUID().uuidString).tmp"
    let descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileWriteError(path: asked, call: "open") }
    return (descriptor, name)
  }

  private static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
