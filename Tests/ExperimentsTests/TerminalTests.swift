import Foundation
import TestSupport
import Testing

@testable import Experiments
@testable import Reports

/// What people read: numbers, tables, axes and pages.
@Suite struct TerminalTests {
  @Test func `numbers are written for people`() {
    #expect(grouped(0) == "0" && grouped(407_050) == "407,050" && grouped(1_221_150) == "1,221,150")
    #expect(readableBytes(812) == "812 B" && readableBytes(1_628_200) == "1.63 MB")
    #expect(readableDuration(0.345) == "0.34 s" || readableDuration(0.345) == "0.35 s")
    #expect(readableDuration(12.44) == "12.4 s" && readableDuration(185) == "3 min 05 s")
    #expect(readableDuration(7830) == "2 h 10 min")
    #expect(tickText(0.25) == "0.25" && tickText(88) == "88" && tickText(100) == "100")
    #expect(counted(1, "rank") == "1 rank" && counted(3, "rank") == "3 ranks")
  }

  @Test func `a table lines its columns up`() {
    var table = TextTable(["name", "value"])
    table.append(["a", "1"])
    table.append(["longer", "22.5"])
    #expect(table.text.split(separator: "\n").allSatisfy { $0.count == 13 })
  }

  @Test(arguments: [[0.0, 1], [88.1, 88.9], [0.31, 0.31], [-3, 700], [1e-4, 2e-4]])
  func `an axis holds its values between round ticks`(values: [Double]) throws {
    for isTight in [false, true] {
      let axis = try #require(Axis(values, isTight: isTight))
      for value in values { #expect((-1e-9...1 + 1e-9).contains(axis.position(value))) }
      #expect(axis.high > axis.low && axis.ticks.count <= 12)
    }
    #expect(Axis([]).map(\.low) == nil)
  }

  @Test func `text in a page cannot become markup`() {
    #expect(escaped("<b a=\"1\">&") == "&lt;b a=&quot;1&quot;&gt;&amp;")
  }

  @Test func `the thesis' figures stand beside the thesis' experiment alone`() {
    #expect(Recipe.thesis.experiment.isThesis)
    var other = Recipe.thesis.experiment
    other.seed = 9
    // As a run has it, once the data was read.
    other.data = "60000 and 10000 images of 28 × 28, SHA-256 0123"
    #expect(other.isThesis)
    other.training.epochs = 2
    #expect(!other.isThesis)
    #expect(!Recipe.default.experiment.isThesis)
  }
}
