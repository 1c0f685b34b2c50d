/// A polynomial of one variable, by its coefficients from the constant up.
struct Polynomial {
  let coefficients: [Double]

  func callAsFunction(_ t: Double) -> Double {
    coefficients.reversed().reduce(0) { $0 * t + $1 }
  }

  /// Where from 0 to 1 it is largest; the smallest of such places.
  ///
  /// The best of 65 places, made more exact by golden sections between its neighbours. Of degree four it has at most two
  /// maxima, and what two nearer than a 64th would differ by does not matter.
  var maximizer: Double {
    let intervals = 64
    var best = 0
    for place in 1...intervals where self(Double(place) / 64) > self(Double(best) / 64) {
      best = place
    }
    var low = Double(max(best - 1, 0)) / 64
    var high = Double(min(best + 1, intervals)) / 64
    let ratio = (5.0.squareRoot() - 1) / 2
    for _ in 0..<40 {
      let (left, right) = (high - ratio * (high - low), low + ratio * (high - low))
      if self(left) >= self(right) { high = right } else { low = left }
    }
    // The ends of the interval are exact vertices, which golden sections only come near.
    return [Double(best) / 64, (low + high) / 2].max { self($0) < self($1) } ?? 0
  }
}
