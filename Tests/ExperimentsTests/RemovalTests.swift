import Foundation
import Networks
import TestSupport
import Testing

@testable import Experiments

/// What a run folder loses when settings change, and what it never does.
@Suite(.serialized) struct RemovalTests {
  private let files = FileManager.default

  /// A prepared run folder.
  private func prepare(_ path: String) throws -> (folder: RunFolder, experiment: Experiment) {
    let experiment = Recipe.default.experiment
    let folder = RunFolder(path)
    try folder.prepare(for: experiment, keepingLaterStages: false)
    return (folder, experiment)
  }

  /// An experiment that makes all that was distilled out of date.
  private func changed(_ experiment: Experiment) -> Experiment {
    var experiment = experiment
    experiment.distillation.alpha /= 2
    return experiment
  }

  @Test(arguments: [
    "merged/naive.safetensors", "merged/mergemany+unit-weights+refit-head.safetensors",
    "merged/permavg-hard.safetensors", "merged/mergemany+permavg.permutations.safetensors",
    "merged/permavg(epochs=1).safetensors",
    "merged/permavg(epochs=1,temperature=2.0)-hard.safetensors",
    "merged/mergemany(restarts=9)+unit-weights(epochs=3).permutations.safetensors",
    "students/000.safetensors", "students/1000.safetensors",
  ])
  func `the names that permavg gives are known`(name: String) {
    #expect(RunFolder.isMadeHere(name))
  }

  @Test(arguments: [
    "merged/mine.safetensors", "merged/naive.txt", "merged/naive", "merged/.safetensors",
    "merged/naive,repair.safetensors", "merged/naive+.safetensors", "merged/naive-soft.safetensors",
    "merged/mergemany(restarts=4).safetensors", "merged/mergemany(restarts=0).safetensors",
    "merged/permavg(temperature=2).safetensors", "merged/permavg(epochs=1.safetensors",
    "merged/permavg(tau=1).safetensors",
    "students/00.safetensors", "students/0000.safetensors", "students/-01.safetensors",
    "students/naive.safetensors", "members/000.safetensors", "naive.safetensors",
    "merged/sub/naive.safetensors", "results.json",
  ])
  func `other names are not`(name: String) {
    #expect(!RunFolder.isMadeHere(name))
  }

  @Test func `other settings remove what was made with the old ones, and nothing else`() throws {
    try withTemporaryFolder { path in
      let (folder, experiment) = try prepare(path)
      let outOfDate = ["students/000.safetensors", "students/017.safetensors"]
      // What was merged says itself whether it still holds.
      let kept = [
        "members/000.safetensors", "merged/naive.safetensors", "merged/permavg-hard.safetensors",
        "merged/permavg.permutations.safetensors", "merged/notes.txt", "merged/mine.safetensors",
        "students/list.csv", "students/mine.safetensors", "students/00.safetensors", "thesis.txt",
      ]
      for name in outOfDate + kept { try write([1], to: "\(path)/\(name)") }
      try files.createDirectory(atPath: "\(path)/merged/sub", withIntermediateDirectories: false)
      try write([1], to: "\(path)/merged/sub/naive.safetensors")
      try folder.prepare(for: changed(experiment), keepingLaterStages: true)
      for name in outOfDate + kept { #expect(folder.exists(name)) }
      try folder.prepare(for: changed(experiment), keepingLaterStages: false)
      for name in outOfDate { #expect(!folder.exists(name)) }
      for name in kept + ["merged/sub/naive.safetensors"] { #expect(folder.exists(name)) }
    }
  }

  @Test(arguments: ["members", "merged", "students"])
  func `a linked folder is refused before anything is removed or written`(name: String) throws {
    try withTemporaryFolder { path in
      let (folder, experiment) = try prepare("\(path)/run")
      try files.createDirectory(atPath: "\(path)/precious", withIntermediateDirectories: false)
      let all = ["merged/naive.safetensors", "students/000.safetensors", "results.json"]
      for file in all { try write([1], to: "\(path)/run/\(file)") }
      try files.moveItem(atPath: "\(path)/run/\(name)", toPath: "\(path)/precious/\(name)")
      try files.createSymbolicLink(
        atPath: "\(path)/run/\(name)", withDestinationPath: "../precious/\(name)")
      let before = try contents(of: path)
      for experiment in [experiment, changed(experiment)] {
        let error = #expect(throws: RunFolderError.self) {
          try folder.prepare(for: experiment, keepingLaterStages: false)
        }
        #expect(error?.path == "\(path)/run/\(name)")
        #expect(
          error?.problem.hasPrefix("is a symbolic link to ../precious/\(name), and") == true)
      }
      #expect(throws: RunFolderError.self) { try folder.prepareMembers(for: experiment) }
      if name != "members" {
        let file = name == "merged" ? all[0] : all[1]
        #expect(throws: RunFolderError.self) { try folder.remove(file) }
      }
      #expect(try contents(of: path) == before)
    }
  }

  @Test func `a link to a whole run folder is followed`() throws {
    try withTemporaryFolder { path in
      let (_, experiment) = try prepare("\(path)/real")
      try write([1], to: "\(path)/real/students/000.safetensors")
      try files.createSymbolicLink(atPath: "\(path)/run", withDestinationPath: "real")
      try RunFolder("\(path)/run").prepare(for: changed(experiment), keepingLaterStages: false)
      #expect(!files.fileExists(atPath: "\(path)/real/students/000.safetensors"))
      #expect(FileKind(at: "\(path)/run") == .symbolicLink)
    }
  }

  @Test(arguments: ["merged/naive.safetensors", "students/000.safetensors", "results.json"])
  func `a link or a folder in a file's place is refused, and everything stays`(name: String) throws
  {
    try withTemporaryFolder { path in
      let (folder, experiment) = try prepare("\(path)/run")
      try write([1], to: "\(path)/run/merged/c2m3.safetensors")
      try write([2], to: "\(path)/precious")
      for isLink in [true, false] {
        let file = "\(path)/run/\(name)"
        if isLink {
          try files.createSymbolicLink(atPath: file, withDestinationPath: "\(path)/precious")
        } else {
          try files.removeItem(atPath: file)
          try files.createDirectory(atPath: file, withIntermediateDirectories: false)
        }
        let before = try contents(of: path)
        var attempts: [() throws -> Void] = [
          { try folder.empty(["merged", "students"]) }, { try folder.remove(name) },
        ]
        // Other settings of distillation take nothing from `merged/`.
        if !name.hasPrefix("merged/") {
          attempts.append {
            try folder.prepare(for: changed(experiment), keepingLaterStages: false)
          }
        }
        for attempt in attempts {
          let error = #expect(throws: RunFolderError.self, performing: attempt)
          #expect(error?.path == file)
          #expect(
            error?.problem.hasPrefix(
              isLink ? "is a symbolic link to \(path)/precious" : "is a folder")
              == true)
        }
        #expect(FileKind(at: file) == (isLink ? .symbolicLink : .folder))
        #expect(try contents(of: path) == before)
      }
    }
  }

  @Test func `something else than a folder is refused in the place of one`() throws {
    try withTemporaryFolder { path in
      try write([1], to: "\(path)/merged")
      let error = #expect(throws: RunFolderError.self) { _ = try prepare(path) }
      #expect(
        error?.description == "\(path)/merged: is a regular file, not a folder; move it elsewhere")
    }
  }

  @Test func `no command writes or removes through a linked folder`() throws {
    try withTemporaryFolder { path in
      let (run, precious) = ("\(path)/run", "\(path)/precious")
      let options = [
        "run", "--dataset", "synthetic", "--architecture", "784-8-10", "--epochs", "1",
        "--members", "2", "--batch-size", "1000", "--students", "1", "--output", run,
        "--method", "naive",
      ]
      try #require(try Program.permavg(options).status == 0)
      try files.createDirectory(atPath: "\(precious)/sub", withIntermediateDirectories: true)
      try write([1], to: "\(precious)/thesis.txt")
      try write([2], to: "\(precious)/sub/naive.safetensors")
      try write([3], to: "\(precious)/naive.safetensors")
      try write([4], to: "\(precious)/000.safetensors")
      for (name, commands) in [
        ("merged", [options + ["--method", "c2m3"], ["merge", run, "--method", "naive"]]),
        ("students", [options + ["--alpha", "0.1"], ["distill", run, "--students", "1"]]),
      ] {
        try files.moveItem(atPath: "\(run)/\(name)", toPath: "\(path)/\(name)")
        try files.createSymbolicLink(atPath: "\(run)/\(name)", withDestinationPath: precious)
        let before = try contents(of: path)
        for ranks in [nil, 2] {
          for command in commands {
            let outcome = try Program.permavg(ranks: ranks, command)
            #expect(outcome.status == 3, "\(outcome.errors)")
            #expect(outcome.errorLines.count == 1, "\(outcome.errors)")
            #expect(
              outcome.errorLines.first?.contains(
                "\(run)/\(name): is a symbolic link to \(precious), and") == true)
          }
        }
        #expect(try contents(of: path) == before)
        try files.removeItem(atPath: "\(run)/\(name)")
        try files.moveItem(atPath: "\(path)/\(name)", toPath: "\(run)/\(name)")
      }
    }
  }
}
