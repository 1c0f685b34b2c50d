import Foundation

/// How good predicted probabilities are.
public struct Scores: Codable, Equatable, Sendable {
  /// The share of samples whose most probable class is the label; ties go to the lowest class.
  public let accuracy: Double

  /// Negative log likelihood of the labels in nats, the mean over samples.
  public let nll: Double

  /// Brier score: the mean over samples of Σ_c (p_c − y_c)², between 0 and 2.
  public let brier: Double

  /// Expected calibration error (Guo, Pleiss, Sun & Weinberger 2017).
  ///
  /// Over 15 bins of equal width in the largest probability: the mean distance of accuracy and
  /// confidence, weighted by samples.
  public let ece: Double

  /// The share of each class' samples that is classified correctly, nil of a class without any; nil of a mean of scores.
  public var classAccuracies: [Double?]?

  /// Scores that are already known.
  public init(accuracy: Double, nll: Double, brier: Double, ece: Double) {
    self.accuracy = accuracy
    self.nll = nll
    self.brier = brier
    self.ece = ece
  }

  /// Scores probabilities against labels.
  ///
  /// - Parameters:
  ///   - probabilities: samples × classes, row by row.
  ///   - labels: the class of each sample.
  public init(_ probabilities: Probabilities, labels: [Int]) {
    let classes = probabilities.classes
    precondition(probabilities.values.count == labels.count * classes && !labels.isEmpty)
    var correct = 0
    var nll = 0.0
    var brier = 0.0
    let binCount = 15
    var byClass = [(count: Int, correct: Int)](repeating: (0, 0), count: classes)
    var bins = [(count: Int, correct: Int, confidence: Double)](
      repeating: (0, 0, 0), count: binCount)
    for (sample, label) in labels.enumerated() {
      let row = probabilities.values[sample * classes..<(sample + 1) * classes]
      let best = probabilities.prediction(sample)
      let confidence = row[row.startIndex + best]
      correct += best == label ? 1 : 0
      byClass[label].count += 1
      byClass[label].correct += best == label ? 1 : 0
      // The smallest positive number stands for a probability that was rounded to zero.
      nll -= log(max(row[row.startIndex + label], .leastNormalMagnitude))
      for (c, p) in row.enumerated() {
        let error = p - (c == label ? 1 : 0)
        brier += error * error
      }
      let bin = min(max(Int((confidence * Double(binCount)).rounded(.up)) - 1, 0), binCount - 1)
      bins[bin].count += 1
      bins[bin].correct += best == label ? 1 : 0
      bins[bin].confidence += confidence
    }
    let samples = Double(labels.count)
    accuracy = Double(correct) / samples
    self.nll = nll / samples
    self.brier = brier / samples
    classAccuracies = byClass.map { $0.count > 0 ? Double($0.correct) / Double($0.count) : nil }
    ece = bins.reduce(0) { $0 + abs(Double($1.correct) - $1.confidence) } / samples
  }
}

/// The probability of each class for each of some samples.
public struct Probabilities: Equatable, Sendable {
  public let classes: Int

  /// Samples × classes, row by row.
  public let values: [Double]

  /// Probabilities that are already there.
  public init(classes: Int, values: [Double]) {
    self.classes = classes
    self.values = values
  }

  /// softmax(logits), in double precision.
  public init(logits: [Float], classes: Int) {
    var values = [Double](repeating: 0, count: logits.count)
    for start in stride(from: 0, to: logits.count, by: classes) {
      let row = start..<start + classes
      let largest = Double(logits[row].max() ?? 0)
      var sum = 0.0
      for i in row {
        values[i] = exp(Double(logits[i]) - largest)
        sum += values[i]
      }
      for i in row { values[i] /= sum }
    }
    self.init(classes: classes, values: values)
  }

  /// The most probable class of a sample; ties go to the lowest.
  public func prediction(_ sample: Int) -> Int {
    let start = sample * classes
    var best = 0
    for c in 1..<classes where values[start + c] > values[start + best] { best = c }
    return best
  }

  /// How many samples there are.
  public var count: Int { values.count / classes }
}
