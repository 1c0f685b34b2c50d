/// How an ensemble's members are averaged into one prediction.
public enum Combination: String, Codable, Sendable, CaseIterable {
  /// The mean of the members' softmax probabilities (Lakshminarayanan et al. 2017).
  case probabilities

  /// The softmax of the members' mean logits, a geometric mean; the thesis' DeepEnsemble.
  case logits
}

/// The prediction of an ensemble.
///
/// - Parameters:
///   - logits: each member's, samples × classes, by member number.
///   - classes: how many classes there are.
///   - combination: what is averaged.
/// - Returns: one row of probabilities a sample.
public func ensemblePrediction(
  _ logits: [[Float]], classes: Int, combining combination: Combination
) -> Probabilities {
  precondition(!logits.isEmpty, "an ensemble of no members")
  let scale = 1 / Double(logits.count)
  switch combination {
  case .probabilities:
    var sum = [Double](repeating: 0, count: logits[0].count)
    for member in logits {
      let probabilities = Probabilities(logits: member, classes: classes)
      for i in sum.indices { sum[i] += probabilities.values[i] * scale }
    }
    return Probabilities(classes: classes, values: sum)
  case .logits:
    var mean = [Double](repeating: 0, count: logits[0].count)
    for member in logits { for i in mean.indices { mean[i] += Double(member[i]) * scale } }
    return Probabilities(logits: mean.map(Float.init), classes: classes)
  }
}

/// How often two members of an ensemble predict different classes: the mean over pairs and samples.
///
/// Nil for fewer than two members.
public func meanPairwiseDisagreement(_ members: [Probabilities]) -> Double? {
  guard members.count >= 2 else { return nil }
  let predictions = members.map { member in (0..<member.count).map(member.prediction) }
  var different = 0
  var pairs = 0
  for a in 0..<members.count {
    for b in a + 1..<members.count {
      different += zip(predictions[a], predictions[b]).reduce(0) { $0 + ($1.0 == $1.1 ? 0 : 1) }
      pairs += 1
    }
  }
  return Double(different) / Double(pairs * predictions[0].count)
}
