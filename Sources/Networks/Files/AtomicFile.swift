import Foundation

/// A file that could not be written, with what was found or the system's reason.
public struct FileWriteError: Error, CustomStringConvertible {
  public let path: String
  public let reason: String

  public var description: String { "\(path): could not be written: \(reason)" }
}

extension FileWriteError {
  /// The reason for which a call of the system's has just failed.
  init(path: String, call: String) {
    self.init(path: path, reason: "\(call): \(String(cString: strerror(errno)))")
  }
}

/// Writes a file so that a reader sees the old contents or the new ones, never a part.
///
/// The bytes go to a new file of a random name in the same folder, are synced, and take the file's name by
/// a rename; the folder is synced last. An interrupted write leaves the old file as it was. A symbolic
/// link stays, and the file that it leads to is written.
///
/// - Throws: ``FileWriteError`` with the system's reason, or if the path is a folder, a device, a FIFO or a socket.
public func writeAtomically(_ data: Data, to path: String) throws(FileWriteError) {
  func failure(_ call: String) -> FileWriteError { FileWriteError(path: path, call: call) }
  let destination = try FileDestination(path)
  let (file, temporary) = try destination.makeTemporary()
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
  if failed == nil, rename(temporary, destination.path) != 0 { failed = failure("rename") }
  if let failed {
    unlink(temporary)
    throw failed
  }
  let folder = open(destination.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard folder >= 0 else { return }
  fsync(folder)
  close(folder)
}
