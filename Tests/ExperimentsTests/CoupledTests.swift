import Foundation
import Networks
import TestSupport
import Testing

@testable import Experiments

/// Members that are coupled while they train.
@Suite(.serialized) struct CoupledTests {
  private let small = [
    "--dataset", "synthetic", "--architecture", "784-16-10", "--epochs", "2", "--batch-size", "50",
    "--seed", "7",
  ]

  @Test(
    .timeLimit(.minutes(5)),
    arguments: [
      "fedavg", "fedavg(every=3,start=separate,momentum=mean)", "papa(every=2)", "papa-all",
      "wash(share=0.05,momentum=shuffle)", "diloco(every=4)",
    ])
  func `every exchange gives the same bytes on 1, 2, 3 and 5 ranks`(exchange: String) throws {
    try withTemporaryFolder { folder in
      var first: [String: Data]?
      for ranks in [1, 2, 3, 5] {
        let run = "\(folder)/ranks-\(ranks)"
        try Program.succeed(
          ranks: ranks,
          [
            "train", "--output", run, "--exchange", exchange, "--members", "4", "--shards",
            "sizes:2", "--shard-size", "200", "--validation", "10",
          ] + small)
        let files = try reproducibleContents(of: run)
        #expect(files.count == 4 + 3)
        if let first {
          for (name, bytes) in files { #expect(bytes == first[name], "\(name) on \(ranks) ranks") }
        }
        first = first ?? files
      }
    }
  }

  @Test(.timeLimit(.minutes(2)), arguments: [1, 2, 3, 5])
  func `an exchange carries what the method needs`(ranks: Int) throws {
    try withTemporaryFolder { folder in
      let traffic = Traffic(ranks: ranks)
      let network = 4 * (785 * 16 + 17 * 10)
      // 4 shards of 200 in batches of 50, two epochs: eight steps.
      for (number, (exchange, payload)) in [
        ("fedavg", 2 * traffic.reduce(parts: 4, bytes: network)),
        ("fedavg(every=3,momentum=mean)", 3 * 2 * traffic.reduce(parts: 4, bytes: network)),
        ("papa(every=2)", 4 * traffic.reduce(parts: 4, bytes: network)),
        ("diloco(every=8)", traffic.reduce(parts: 4, bytes: network)),
        // All of the first layer, and half of the last in the mean: no fixed number.
        ("wash(share=1,every=8)", nil),
      ].enumerated() {
        let run = "\(folder)/run-\(number)"
        try Program.succeed(
          ranks: ranks,
          [
            "train", "--output", run, "--exchange", exchange, "--members", "4", "--shards", "iid",
            "--shard-size", "200",
          ] + small)
        let command = try #require(try RunFolder(run).readCommunication().commands.first)
        if let payload {
          #expect(command.payload("exchange") == payload, "\(exchange)")
        } else {
          let values =
            (command.payload("exchange") / max(ranks - 1, 1) - 8 * ranks * ((3 + ranks) / ranks))
            / 16
          let (first, last) = (785 * 16, 17 * 10)
          #expect(
            ranks == 1 ? values < 0 : (first...first + last).contains(values), "\(values) values")
        }
      }
    }
  }

  @Test func `a member alone is what it would be without an exchange`() throws {
    try withTemporaryFolder { folder in
      let (coupled, alone) = ("\(folder)/coupled", "\(folder)/alone")
      for exchange in ["fedavg(momentum=keep)", "papa", "wash"] {
        try? FileManager.default.removeItem(atPath: coupled)
        try Program.succeed(
          ["train", "--output", coupled, "--members", "1", "--exchange", exchange] + small)
        try? FileManager.default.removeItem(atPath: alone)
        try Program.succeed(["train", "--output", alone, "--members", "1"] + small)
        let name = "members/000.safetensors"
        #expect(
          try Data(contentsOf: URL(fileURLWithPath: "\(coupled)/\(name)"))
            == Data(contentsOf: URL(fileURLWithPath: "\(alone)/\(name)")), "\(exchange)")
      }
    }
  }

  @Test(.timeLimit(.minutes(2)))
  func `coupled members are kept together, or trained again together`() throws {
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      let arguments =
        ["train", "--output", run, "--members", "3", "--exchange", "fedavg"] + small
      try Program.succeed(ranks: 2, arguments)
      let before = try reproducibleContents(of: run)
      #expect(try Program.succeed(arguments).errors.contains("3 members kept from before"))
      try FileManager.default.removeItem(atPath: "\(run)/members/001.safetensors")
      try Program.succeed(ranks: 3, arguments)
      #expect(try reproducibleContents(of: run) == before)
      // After the last exchange all are one network.
      #expect(before["members/000.safetensors"] == before["members/002.safetensors"])
      try Program.expectRefusal(
        2, saying: "exchange", arguments: Array(arguments.dropLast(small.count + 2)) + small)
      try Program.expectRefusal(
        2, saying: "--exchange fedavg(every=0)", "epochs as 1e",
        arguments: ["train", "--output", "x", "--exchange", "fedavg(every=0)"])
    }
  }
}
