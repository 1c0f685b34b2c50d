import Merging

extension MergeSettings {
  /// Checks what the types do not.
  ///
  /// - Throws: ``UsageError`` naming the option that is out of range.
  func validate() throws(UsageError) {
    func require(_ option: String, _ value: Int, in range: ClosedRange<Int>) throws(UsageError) {
      guard range.contains(value) else {
        throw UsageError(
          "--\(option) \(value): expected \(range.lowerBound) to \(range.upperBound)")
      }
    }
    func require(
      _ option: String, _ value: Float?, _ isGood: (Float) -> Bool, _ expected: String
    ) throws(UsageError) {
      guard let value, !isGood(value) else { return }
      throw UsageError("--\(option) \(value): expected \(expected)")
    }
    func isRate(_ rate: Float) -> Bool { rate > 0 && rate.isFinite }
    func isTemperature(_ value: Float) -> Bool { (1e-3...1e6).contains(value) }

    try require("restarts", matching.restarts, in: 1...100_000)
    try require("permavg-epochs", permAVG.epochs, in: 0...1_000_000)
    try require("learning-epochs", learning.epochs, in: 0...1_000_000)
    try require("sinkhorn-iterations", permAVG.sinkhorn.iterations, in: 1...1_000_000)
    for (option, rate) in [
      ("permavg-learning-rate", permAVG.learningRate),
      ("unit-learning-rate", unitWeights.learningRate),
      ("fine-tune-learning-rate", fineTuning.learningRate),
    ] {
      try require(option, rate, isRate, "a number above 0")
    }
    try require(
      "sinkhorn-temperature", permAVG.sinkhorn.temperature, isTemperature, "0.001 to 1000000")
    try require("final-temperature", learning.finalTemperature, isTemperature, "0.001 to 1000000")
    try require(
      "aligned-share", permAVG.alignedShare, { $0 > 0 && $0 < 1 },
      "a number above 0 and below 1")
    try require(
      "dirichlet", learning.dirichlet, { (1e-3...1e6).contains($0) }, "0.001 to 1000000")
  }
}
