import Foundation

/// A file that could not be written, with the system's reason.
public struct FileWriteError: Error, CustomStringConvertible {
  public let path: String
  public let reason: String

  public var description: String { "\(path): could not be written: \(reason)" }
}

/// Writes a file so that a reader sees the old contents or the new ones, never a part.
///
/// The bytes go to a temporary name in the same folder, are synced, and take the file's name by a
/// rename; the folder is synced last. An interrupted write leaves the old file as it was.
public func writeAtomically(_ data: Data, to path: String) throws(FileWriteError) {
  func failure(_ call: String) -> FileWriteError {
    FileWriteError(path: path, reason: "\(call): \(String(cString: strerror(errno)))")
  }
  let temporary = "\(path).\(getpid()).tmp"
  let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
  guard file >= 0 else { throw failure("open") }
  var failed: FileWriteError?
  data.withUnsafeBytes { bytes in
    var done = 0
    while done < bytes.count, failed == nil {
      let written = write(file, bytes.baseAddress.map { $0 + done }, bytes.count - done)
      if written > 0 { done += written } else if errno != EINTR { failed = failure("write") }
    }
  }
  if failed == nil, fsync(file) != 0 { failed = failure("fsync") }
  if close(file) != 0, failed == nil { failed = failure("close") }
  if failed == nil, rename(temporary, path) != 0 { failed = failure("rename") }
  if let failed {
    unlink(temporary)
    throw failed
  }
  let folder = open(
    URL(fileURLWithPath: path).deletingLastPathComponent().path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard folder >= 0 else { return }
  fsync(folder)
  close(folder)
}
