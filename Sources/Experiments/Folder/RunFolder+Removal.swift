import Foundation
import Merging
import Networks
import Tensors

// What a run folder loses when settings change. Nothing goes but regular files of names that permavg gives,
// in folders that are the run's own: a link may lead to somebody's only copy of something else.
extension RunFolder {
  /// Makes sure that folders of the run are no links, and `results.json` is none either, before files are written or removed.
  ///
  /// - Parameter folders: of `members`, `merged` and `students`; they need not be there yet.
  /// - Throws: ``RunFolderError`` naming what is there instead.
  func requireOwn(_ folders: [String]) throws(RunFolderError) {
    for folder in folders { try requireOwn(folder) }
    _ = try isOwnFile("results.json")
  }

  private func requireOwn(_ folder: String) throws(RunFolderError) {
    let found = path(folder)
    switch FileKind(at: found) {
    case nil, .folder: return
    case .symbolicLink:
      throw RunFolderError(
        found,
        "is a symbolic link\(target(of: found)), and permavg writes and removes files in this folder;"
          + " put a folder in its place, or link the whole run folder")
    case let kind?:
      throw RunFolderError(found, "is \(kind.rawValue), not a folder; move it elsewhere")
    }
  }

  /// Removes the networks and permutations of folders of the run; what else lies there stays.
  ///
  /// - Throws: ``RunFolderError``, before anything is removed, if a thing of such a name is no regular file.
  func empty(_ folders: [String]) throws(RunFolderError) {
    try requireOwn(folders)
    var files: [String] = []
    for folder in folders {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: path(folder))) ?? []
      for name in names.sorted().map({ "\(folder)/\($0)" }) where Self.isMadeHere(name) {
        if try isOwnFile(name) { files.append(name) }
      }
    }
    for file in files { try remove(file) }
  }

  /// Removes a file of the run, if it is there.
  ///
  /// - Throws: ``RunFolderError`` if it is no regular file, or its folder is no folder of the run's own.
  func remove(_ name: String) throws(RunFolderError) {
    if let slash = name.firstIndex(of: "/") { try requireOwn(String(name[..<slash])) }
    guard try isOwnFile(name) else { return }
    guard unlink(path(name)) == 0 || errno == ENOENT else {
      throw RunFolderError(path(name), "could not be removed: \(String(cString: strerror(errno)))")
    }
  }

  /// Whether a file of the run is there.
  ///
  /// - Throws: ``RunFolderError`` if something else of its name is.
  private func isOwnFile(_ name: String) throws(RunFolderError) -> Bool {
    let found = path(name)
    guard let kind = FileKind(at: found) else { return false }
    guard kind == .regularFile else {
      throw RunFolderError(
        found,
        "is \(kind.rawValue)\(target(of: found)), where permavg removes a file of its own when it is out of date;"
          + " move it elsewhere")
    }
    return true
  }

  private func target(of link: String) -> String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: link)).map { " to \($0)" } ?? ""
  }

  /// Whether a path in the run folder is one that permavg gives to a merged network, its permutations or a student.
  static func isMadeHere(_ name: String) -> Bool {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    let end = ".safetensors"
    guard parts.count == 2, parts[1].hasSuffix(end) else { return false }
    let stem = parts[1].dropLast(end.count)
    switch parts[0] {
    case "students": return Int(stem).map(studentName) == "students/\(stem)"
    case "merged":
      let mark = [permutationMark, hardMark].first { stem.hasSuffix($0) } ?? ""
      let chain = String(stem.dropLast(mark.count))
      // Commas would do in an option, but not in a file's name.
      return MethodChain(chain)?.name == chain
    default: return false
    }
  }
}
