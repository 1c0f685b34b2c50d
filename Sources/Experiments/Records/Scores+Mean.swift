import Training

extension Scores {
  /// The mean of each score.
  package static func mean(of scores: [Scores]) -> Scores {
    func mean(_ value: (Scores) -> Double) -> Double {
      scores.reduce(0) { $0 + value($1) } / Double(scores.count)
    }
    return Scores(
      accuracy: mean(\.accuracy), nll: mean(\.nll), brier: mean(\.brier), ece: mean(\.ece))
  }
}
