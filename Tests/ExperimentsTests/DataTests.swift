import Foundation
import TestSupport
import Testing

@testable import Experiments

/// The four files of a small data set of ten classes.
struct SmallImages {
  /// Their pixels are the other way round.
  var isNegative = false

  /// Images to learn from, and pixels along an edge.
  var count = 300
  var side = 4

  /// How many classes there are among the images to learn from.
  var classes: UInt64 = 10

  /// Other images for another.
  var seed: UInt64 = 0

  /// Writes images to learn from and 100 to test with: noise, and a bright pixel for the class.
  func write(to folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for (part, count, classes) in [("train", count, classes), ("t10k", 100, 10)] {
      var random = RandomNumbers(state: UInt64(count) + seed)
      let labels = (0..<count).map { _ in UInt8(random.next() % classes) }
      let pixels = labels.flatMap { label in
        (0..<side * side).map { pixel -> UInt8 in
          let value = UInt8(random.next() % 64) + (pixel == label ? 150 : 0)
          return isNegative ? 255 - value : value
        }
      }
      func size(_ number: Int) -> [UInt8] { [0, 0, UInt8(number >> 8), UInt8(number & 255)] }
      try ExperimentsTests.write(
        [0, 0, 8, 3] + size(count) + size(side) + size(side) + pixels,
        to: "\(folder)/\(part)-images-idx3-ubyte")
      try ExperimentsTests.write(
        [0, 0, 8, 1] + size(count) + labels, to: "\(folder)/\(part)-labels-idx1-ubyte")
    }
  }
}

/// Numbers that look random enough, the same every time (Knuth's constants for a congruential generator).
private struct RandomNumbers {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 33
  }
}

@Suite(.serialized) struct DataTests {
  /// The settings of members on small images.
  private let settings = [
    "--dataset", "mnist", "--architecture", "16-8-10", "--epochs", "2", "--batch-size", "50",
  ]

  @Test func `a folder remembers its data, and other data is refused, naming both`() throws {
    try withTemporaryFolder { folder in
      let (a, b) = ("\(folder)/a", "\(folder)/b")
      try SmallImages().write(to: a)
      try SmallImages(isNegative: true).write(to: b)
      func train(_ run: String, _ data: String) -> [String] {
        ["train", "--output", run, "--data", data, "--members", "2"] + settings
      }
      let (run, other) = ("\(folder)/run", "\(folder)/other")
      try Program.succeed(train(run, a))
      try Program.succeed(train(other, b))
      let prints = try [run, other].map { try #require(try RunFolder($0).readExperiment().data) }
      #expect(prints[0].hasPrefix("300 and 100 images of 4 × 4, SHA-256 "))
      #expect(prints[0] != prints[1])

      let chains = ["--method", "naive", "--method", "unit-weights(epochs=1)"]
      try Program.succeed(["merge", run, "--data", a] + chains)
      try FileManager.default.removeItem(atPath: "\(run)/members/001.safetensors")
      let before = try contents(of: run)
      for command in [
        train(run, b), ["run"] + train(run, b).dropFirst(), ["evaluate", run, "--data", b],
        ["distill", run, "--data", b], ["merge", run, "--data", b, "--method", "naive"],
        ["merge", run, "--data", b] + chains,
      ] {
        try Program.expectRefusal(
          2, saying: run, prints[0], prints[1], arguments: command, launches: [nil, 2])
      }
      try Program.expectRefusal(
        3, saying: "--data DIR", arguments: ["evaluate", run], launches: [nil, 2])
      #expect(try contents(of: run) == before)

      // The same images in another place are the same data.
      try FileManager.default.moveItem(atPath: a, toPath: "\(folder)/c")
      try Program.succeed(train(run, "\(folder)/c"))
      try Program.succeed(["merge", run, "--data", "\(folder)/c"] + chains)
      try Program.succeed(["evaluate", run, "--data", "\(folder)/c"])
    }
  }

  @Test func `networks of other data are left out, and made anew`() throws {
    try withTemporaryFolder { folder in
      let (a, b) = ("\(folder)/a", "\(folder)/b")
      try SmallImages().write(to: a)
      try SmallImages(isNegative: true).write(to: b)
      let (run, other) = ("\(folder)/run", "\(folder)/other")
      let chains = ["--method", "naive", "--method", "unit-weights(epochs=1)"]
      for (path, data) in [(run, a), (other, b)] {
        try Program.succeed(
          ["train", "--output", path, "--data", data, "--members", "2"] + settings)
      }
      // The same members in both folders, so that data alone sets them apart.
      for member in ["000", "001"] {
        let name = "members/\(member).safetensors"
        try FileManager.default.removeItem(atPath: "\(other)/\(name)")
        try FileManager.default.copyItem(atPath: "\(run)/\(name)", toPath: "\(other)/\(name)")
      }
      try Program.succeed(["merge", other, "--data", b] + chains)
      for name in ["naive", "unit-weights(epochs=1)"] {
        try FileManager.default.copyItem(
          atPath: "\(other)/merged/\(name).safetensors",
          toPath: "\(run)/merged/\(name).safetensors")
      }
      let evaluation = try Program.succeed(["evaluate", run, "--data", a])
      #expect(evaluation.errors.contains("unit-weights(epochs=1).safetensors: was made from other"))
      #expect(!evaluation.errors.contains("naive.safetensors"), "no data was asked for it")
      let results = try #require(try RunFolder(run).readResults())
      #expect(results.rows(.merged).map(\.predictor.name) == ["naive"])
      let merge = try Program.succeed(["merge", run, "--data", a] + chains)
      #expect(merge.errors.contains("1 merged network kept from before"))
      #expect(merge.errors.contains("merging 2 members by unit-weights(epochs=1)"))
    }
  }

  @Test func `a study is of one data set`() throws {
    try withTemporaryFolder { folder in
      let (a, b) = ("\(folder)/a", "\(folder)/b")
      try SmallImages().write(to: a)
      try SmallImages(isNegative: true).write(to: b)
      func study(_ data: String, seeds: Int) -> [String] {
        ["study", "--output", "\(folder)/study", "--data", data, "--members", "2"]
          + ["--seeds", "\(seeds)", "--method", "naive"] + settings
      }
      try Program.succeed(study(a, seeds: 1))
      let before = try contents(of: "\(folder)/study")
      try Program.expectRefusal(
        2, saying: "seed-1: holds another experiment (data: 300 and 100 images of 4 × 4",
        arguments: study(b, seeds: 2), launches: [nil, 2])
      try Program.expectRefusal(
        2, saying: "seed-1/M-002: was made from other data",
        arguments: ["evaluate", "\(folder)/study/seed-1/M-002", "--data", b], launches: [nil])
      #expect(try contents(of: "\(folder)/study") == before)
      try Program.succeed(study(a, seeds: 2))
    }
  }
}

/// Images of several channels, from their files to a merged network.
@Suite struct ColourTests {
  /// 150 images to learn from and 40 to test with, each class of a colour of its own, with noise.
  private func write(to folder: String) throws {
    var random = RandomNumbers(state: 7)
    func records(_ count: Int) -> [UInt8] {
      var bytes: [UInt8] = []
      for image in 0..<count {
        let label = image % 10
        bytes.append(UInt8(label))
        for channel in 0..<3 {
          let level = label * (channel + 3) * 5 % 150
          for _ in 0..<1024 { bytes.append(UInt8(random.next() % 64) + UInt8(level)) }
        }
      }
      return bytes
    }
    for batch in 1...5 {
      try ExperimentsTests.write(records(30), to: "\(folder)/data_batch_\(batch).bin")
    }
    try ExperimentsTests.write(records(40), to: "\(folder)/test_batch.bin")
  }

  @Test(.timeLimit(.minutes(2)))
  func `a residual network learns from colour images, the same bytes on any number of ranks`()
    throws
  {
    try withTemporaryFolder { folder in
      let data = "\(folder)/cifar"
      try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
      try write(to: data)
      var members: [[String: Data]] = []
      for (ranks, shards) in [
        (1, []), (2, []), (1, ["--shards", "iid"]), (3, ["--shards", "iid"]),
      ] {
        let run = "\(folder)/run-\(ranks)-\(shards.count)"
        try Program.succeed(
          ranks: ranks,
          [
            "train", "--output", run, "--dataset", "cifar-10", "--data", data, "--architecture",
            "resnet8", "--members", "2", "--epochs", "2", "--batch-size", "30",
          ] + shards)
        members.append(try contents(of: "\(run)/members"))
        let experiment = try RunFolder(run).readExperiment()
        #expect(experiment.architecture.description == "resnet8:3x32x32-10")
      }
      #expect(members[0] == members[1] && members[2] == members[3])
      try Program.expectRefusal(
        2, saying: "takes images of 12 × 16 × 16", "cifar-10 has 3 × 32 × 32",
        arguments: [
          "train", "--output", "\(folder)/x", "--dataset", "cifar-10", "--data", data,
          "--architecture", "cnn:12x16x16-10",
        ], launches: [nil])
      let list = try Program.succeed(["architectures", "resnet8", "--dataset", "cifar-100"])
      #expect(list.output.contains("resnet8:3x32x32-100") && list.output.contains("group 0"))
      #expect(try Program.succeed(["architectures"]).output.contains("resnet20x4"))
    }
  }
}
